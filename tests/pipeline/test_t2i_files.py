"""A file of text-to-image preferences becomes a file of two-image pairs: nothing lost, positions exactly balanced."""

import itertools
from pathlib import Path

import pytest

from dt2it_ray.data.t2i_wording import comparison_question
from dt2it_ray.errors import ConfigError, Dt2itError, InputError
from dt2it_ray.pipeline import t2i_rows
from dt2it_ray.pipeline.t2i_files import convert_t2i
from tests.pipeline.t2i_inputs import PAIRS, caption_pair, convert, read_dropped, read_pairs, says_first, written


def test_a_row_is_a_llama_factory_pair_of_two_images(tmp_path: Path) -> None:
    for before, after in zip(PAIRS, convert(tmp_path, PAIRS), strict=True):
        caption, (preferred, other) = before["chosen"]["value"], before["images"]
        (turn,) = after["conversations"]
        assert turn == {"from": "human", "value": f"<image><image>{comparison_question(caption)}"}
        assert ("哪张图片更好" in turn["value"]) == ("一" in caption)
        first = says_first(after)
        assert after["images"] == ([preferred, other] if first else [other, preferred])
        texts = ["Image 1 is better than Image 2.", "Image 2 is better than Image 1."]
        assert after["chosen"] == {"from": "gpt", "value": texts[not first]}
        assert after["rejected"] == {"from": "gpt", "value": texts[first]}


@pytest.mark.parametrize("count", [1, 2, 41])
@pytest.mark.parametrize("seed", [0, 42])
def test_exactly_half_of_the_rows_show_the_preferred_image_first(tmp_path: Path, count: int, seed: int) -> None:
    assert sum(map(says_first, convert(tmp_path, PAIRS[:count], seed=seed))) == count // 2


def test_positions_depend_on_content_and_seed_alone(tmp_path: Path) -> None:
    made = convert(tmp_path, PAIRS)
    assert convert(tmp_path, PAIRS[::-1]) == made[::-1]
    assert convert(tmp_path, PAIRS, seed=43) != made


def test_copies_of_a_row_share_their_position_unless_the_balance_lies_between_them(tmp_path: Path) -> None:
    rows = [*PAIRS, *PAIRS[:10], *PAIRS[:10]]
    made = convert(tmp_path, rows)
    assert sum(map(says_first, made)) == len(rows) // 2
    sides = [
        {says_first(made[place]), says_first(made[41 + place]), says_first(made[51 + place])} for place in range(10)
    ]
    assert sum(len(side) > 1 for side in sides) <= 1
    turned = convert(tmp_path, rows[::-1])
    assert sorted(map(str, turned)) == sorted(map(str, made))


def test_bad_rows_are_kept_beside_the_output_with_number_field_reason_and_all_they_hold(tmp_path: Path) -> None:
    one = {"chosen": {"value": "x"}, "rejected": {"value": "x"}, "images": ["a"]}
    rows = [PAIRS[0], "{broken", "", PAIRS[1], one, '{"chosen": "\ud800"}'.encode(errors="replace").decode(), "[1]"]
    made = convert(tmp_path, rows)
    dropped = read_dropped(tmp_path / "out.json")
    assert len(made) + len(dropped) == 6
    assert [(row["row"], row["reason"], row["field"]) for row in dropped] == [
        (2, "not_json", ""),
        (5, "image_missing", "images"),
        (6, "field_invalid", "chosen.value"),
        (7, "field_invalid", ""),
    ]
    assert [row["raw"] for row in dropped[:2]] == ["{broken", one]
    assert sum(map(says_first, made)) == 1


def test_half_characters_that_no_file_can_hold_are_refused(tmp_path: Path) -> None:
    for ending in (".json", ".jsonl"):
        assert len(convert(tmp_path, [*PAIRS[:2], caption_pair(3, "a \ud800 b")], ending)) == 2
        assert [row["reason"] for row in read_dropped(tmp_path / "out.json")] == ["not_json"]


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("out", ["out.json", "out.jsonl"])
def test_the_number_of_processes_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, out: str
) -> None:
    monkeypatch.setattr(t2i_rows, "LEAST_SHARE_BYTES", 100)
    rows = ["{broken", "{again", *(row for pair in PAIRS for row in (pair, "{broken")), ""]
    source = str(written(tmp_path / "in.jsonl", rows))
    contents = []
    for count in (1, workers):
        convert_t2i(source, str(tmp_path / out), workers=count)
        dropped = tmp_path / f"{out}.dropped.jsonl"
        contents.append(((tmp_path / out).read_bytes(), dropped.read_bytes()))
    assert contents[0] == contents[1]
    assert len(read_pairs(tmp_path / out)) == 41
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", out, f"{out}.dropped.jsonl"]


def test_every_row_is_in_one_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t2i_rows, "LEAST_SHARE_BYTES", 1)
    source = str(written(tmp_path / "in.jsonl", PAIRS[:9]))
    whole = list(t2i_rows.read_rows(t2i_rows.shares_of(source, 1)[0]))
    for most in range(2, 60):
        shares = t2i_rows.shares_of(source, most)
        assert list(itertools.chain(*map(t2i_rows.read_rows, shares))) == whole


@pytest.mark.parametrize(
    ("ending", "out", "to"),
    [
        (".json", "out.json", None),
        (".json", "out.txt", "llama_factory"),
        (".parquet", "out.parquet", None),
        (".parquet", "out.jsonl", None),
        (".jsonl", "out.parquet", None),
        (".jsonl", "out", "jsonl"),
        (".json", "out", "parquet"),
    ],
)
def test_files_of_every_kind_give_the_same_pairs(tmp_path: Path, ending: str, out: str, to: str | None) -> None:
    expected = convert(tmp_path, PAIRS)
    output = tmp_path / out
    convert_t2i(str(written(tmp_path / f"in{ending}", PAIRS)), str(output), to)
    kind = {None: output.suffix, "llama_factory": ".json"}.get(to, f".{to}")
    assert read_pairs(output.rename(tmp_path / f"made{kind}")) == expected


@pytest.mark.parametrize(
    ("source", "output", "to", "message"),
    [
        ("none.jsonl", "out.json", None, "there is no file"),
        ("in.jsonl", "out.json", "llamafactory", "llama_factory, jsonl, parquet"),
        ("in.jsonl", "in.jsonl", None, "would overwrite the input"),
        ("in.csv", "out.json", None, "files that end in"),
    ],
)
def test_bad_usage_is_told(tmp_path: Path, source: str, output: str, to: str | None, message: str) -> None:
    written(tmp_path / "in.jsonl", PAIRS)
    written(tmp_path / "in.csv", PAIRS)
    with pytest.raises(ConfigError, match=message) as told:
        convert_t2i(str(tmp_path / source), str(tmp_path / output), to)
    assert told.value.exit_code == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "has no rows"), ([{"a": 1}], "known shape"), ([{**caption_pair(1), "images": []}], "none of its 1 rows")],
)
def test_a_file_without_usable_rows_is_told_and_leaves_no_draft(tmp_path: Path, rows: list, message: str) -> None:
    with pytest.raises(InputError, match=message) as told:
        convert(tmp_path, rows)
    assert isinstance(told.value, Dt2itError)
    assert told.value.exit_code == 1
    assert not list(tmp_path.glob("*.tmp*"))
