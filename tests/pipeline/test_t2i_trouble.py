"""One bad row of a text-to-image file costs that row alone, and no option or name of a file costs the input."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.pipeline.t2i_batches import read_batches
from dt2it_ray.pipeline.t2i_columns import surely_sound
from dt2it_ray.pipeline.t2i_files import convert_t2i
from tests.pipeline.t2i_inputs import PAIRS, caption_pair, convert, read_dropped, says_first, written
from tests.stages.rows import png

MARKED = [caption_pair(50, "an <image> of a car"), caption_pair(51, "一辆车 <video>")]


def imaged(number: int, *images: Any) -> dict[str, Any]:
    return {**caption_pair(number), "images": list(images)}


@pytest.mark.parametrize(
    ("ending", "out"),
    [(".jsonl", "out.json"), (".json", "out.jsonl"), (".jsonl", "out.parquet"), (".parquet", "out.parquet")],
)
@pytest.mark.parametrize("swap_augment", [False, True])
def test_a_caption_with_the_mark_of_a_file_is_refused_on_all_ways(
    tmp_path: Path, ending: str, out: str, swap_augment: bool
) -> None:
    made = convert(tmp_path, [*PAIRS[:9], *MARKED], ending, out, swap_augment=swap_augment)
    assert len(made) == 9 * (1 + swap_augment)
    assert {row["conversations"][0]["value"].count("<image>") for row in made} == {2}
    dropped = read_dropped(tmp_path / out)
    assert [(row["row"], row["reason"], row["field"]) for row in dropped] == [
        (10, "field_invalid", "chosen.value"),
        (11, "field_invalid", "chosen.value"),
    ]


@pytest.mark.parametrize(
    ("row", "sound"),
    [
        (PAIRS[0], True),
        (caption_pair(1, "a < b <lora:car> <images>"), True),
        (MARKED[0], False),
        (MARKED[1], False),
        (caption_pair(1, "\u3000wide"), False),
        (imaged(1, "a", "a"), False),
        (imaged(1, "a", None), False),
        (imaged(1, "a"), False),
        ({**caption_pair(1), "rejected": {"value": "another"}}, False),
    ],
)
def test_columns_are_surely_sound_only_beyond_doubt(tmp_path: Path, row: dict[str, Any], sound: bool) -> None:
    source = written(tmp_path / "in.parquet", [PAIRS[2], row, PAIRS[3]])
    (batch,) = read_batches(str(source))
    assert surely_sound(batch).tolist() == [True, sound, True]
    assert np.flatnonzero(surely_sound(batch.slice(1))).tolist() == ([0, 1] if sound else [1])


@pytest.mark.parametrize("out", ["out.json", "out.jsonl", "out.parquet"])
def test_images_of_every_kind_stand_side_by_side(tmp_path: Path, out: str) -> None:
    texts = [imaged(1, "a.jpg", "b.jpg"), imaged(2, {"bytes": "abc", "path": "y.jpg"}, {"path": "x.jpg"})]
    lone = imaged(3, {"bytes": "abc"}, "c.jpg")
    made = convert(tmp_path, [*texts, lone], out=out)
    assert [sorted(row["images"]) for row in made] == [["a.jpg", "b.jpg"], ["x.jpg", "y.jpg"]]
    assert [row["reason"] for row in read_dropped(tmp_path / out)] == ["image_missing"]


@pytest.mark.parametrize("before", [1, 1500])
def test_images_with_bytes_behind_paths_make_all_of_them_mappings(tmp_path: Path, before: int) -> None:
    paths = [imaged(number, *({"bytes": None, "path": name} for name in "ab")) for number in range(before)]
    held = [{"bytes": png(number), "path": None} for number in (0, 1)]
    made = convert(tmp_path, [*paths, imaged(before, *held)], ".parquet", "out.parquet")
    assert len(made) == before + 1
    named = [{"bytes": None, "path": "a"}, {"bytes": None, "path": "b"}]
    assert all(row["images"] == (named if says_first(row) else named[::-1]) for row in made[:-1])
    assert made[-1]["images"] == (held if says_first(made[-1]) else held[::-1])


def test_a_path_that_no_disk_can_have_is_refused_when_images_are_opened(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    rows = [imaged(1, "1.png", "2.png"), imaged(2, "1.png", "no\0ne.png"), imaged(3, "1.png", "none" * 100)]
    assert len(convert(tmp_path, rows, check_images=str(tmp_path))) == 1
    assert [row["reason"] for row in read_dropped(tmp_path / "out.json")] == ["image_missing"] * 2


def test_a_row_nested_too_deeply_to_be_written_again_is_refused(tmp_path: Path) -> None:
    assert len(convert(tmp_path, [*PAIRS[:2], f'{{"chosen": {"[" * 500}{"]" * 500}}}'])) == 2
    (dropped,) = read_dropped(tmp_path / "out.json")
    assert (dropped["row"], dropped["field"]) == (3, "chosen.value")
    assert "cannot be written again" in dropped["raw"]


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_rows_that_show_their_shape_late_are_used(tmp_path: Path, ending: str) -> None:
    made = convert(tmp_path, [*({"a": number} for number in range(1200)), *PAIRS], ending)
    assert len(made) == len(PAIRS)
    assert len(read_dropped(tmp_path / "out.json")) == 1200


@pytest.mark.parametrize(("ending", "out"), [(".jsonl", "out.json"), (".parquet", "out.parquet")])
def test_a_file_of_no_known_shape_tells_why_row_by_row(tmp_path: Path, ending: str, out: str) -> None:
    rows = [{"a": number} for number in range(1100)]
    with pytest.raises(InputError, match=r"none of its 1100 rows has a known shape. Row 1 has \['a'\]") as told:
        convert(tmp_path, rows, ending, out)
    assert told.value.exit_code == 1
    dropped = read_dropped(tmp_path / out)
    assert [(row["row"], row["reason"]) for row in dropped] == [(n, "shape_unknown") for n in range(1, 1101)]
    assert [row["raw"] for row in dropped] == rows
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"in{ending}", f"{out}.dropped.jsonl"])


def test_lines_that_are_no_objects_keep_their_reasons_where_no_shape_shows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Row 1 has '\{broken'"):
        convert(tmp_path, ["{broken", "[1]", '{"a": 1}'])
    reasons = [row["reason"] for row in read_dropped(tmp_path / "out.json")]
    assert reasons == ["not_json", "field_invalid", "shape_unknown"]


@pytest.mark.parametrize("shape", ["", "hpdv3"])
@pytest.mark.parametrize("ending", [".jsonl", ".json", ".parquet"])
def test_a_file_without_rows_leaves_an_empty_list_of_refused_rows(tmp_path: Path, ending: str, shape: str) -> None:
    with pytest.raises(InputError, match="has no rows"):
        convert(tmp_path, [], ending, shape=shape)
    assert not read_dropped(tmp_path / "out.json")


@pytest.mark.parametrize("link", [False, True])
def test_the_input_is_never_a_file_that_is_written(tmp_path: Path, link: bool) -> None:
    source = written(tmp_path / "out.json.dropped.jsonl", PAIRS)
    named = tmp_path / "in.jsonl" if link else source
    if link:
        named.symlink_to(source)
    before = source.read_bytes()
    with pytest.raises(ConfigError, match="would overwrite the input") as told:
        convert_t2i(str(named), str(tmp_path / "out.json"))
    assert told.value.exit_code == 2
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    "options", [{"least_gap": float("nan")}, {"least_gap": float("inf")}, {"least_gap": -1.0}, {"most_pairs": -1}]
)
def test_numbers_that_make_no_sense_are_bad_usage(tmp_path: Path, options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')}"):
        convert(tmp_path, PAIRS, **options)


@pytest.mark.parametrize("workers", [0, -3])
def test_less_than_one_process_is_bad_usage(tmp_path: Path, workers: int) -> None:
    source = written(tmp_path / "in.jsonl", PAIRS)
    with pytest.raises(ConfigError, match=f"--workers {workers}"):
        convert_t2i(str(source), str(tmp_path / "out.json"), workers=workers)
