"""An outside data set becomes a folder of checked rows; every row is one of them, or told of with its reason."""

import json
from pathlib import Path
from typing import Any

import pytest

import dt2it_ray.stages.ingest as reading
import dt2it_ray.stages.ingest_images as opening
from dt2it_ray.data.ingested import INGESTED
from dt2it_ray.errors import ConfigError, InputError, StageFailed, StepChanged
from dt2it_ray.pipeline.ingest_run import run_ingest
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import read_manifest
from tests.stages.ingest_files import flat, ingest, picture, refusals, refused, settings_of, write_lines


def rows_in(tmp_path: Path) -> list[dict[str, Any]]:
    run = Folder(str(tmp_path / "out"))
    manifest = read_manifest(run, "ingested")
    assert manifest is not None
    rows = read_rows(run, manifest)
    assert rows.schema.equals(INGESTED)
    return rows.to_pylist()


def test_rows_are_kept_in_order_with_their_place_and_what_they_say(tmp_path: Path) -> None:
    told = flat("What is it?", strength=0.5, gt="red", category="colour", data_id="x7", source="set-a")
    summary = ingest(tmp_path, [told, flat("图中是什么？")])
    one, other = rows_in(tmp_path)
    assert (one["row_id"], one["file"], one["row"]) == ("rows.jsonl:000000001", "rows.jsonl", 1)
    assert [one[name] for name in ("question", "chosen", "rejected", "strength")] == [
        "What is it?",
        "Red.",
        "Blue.",
        0.5,
    ]
    assert [one[name] for name in ("reference", "category", "item", "source")] == ["red", "colour", "x7", "set-a"]
    assert (one["language"], other["language"], other["source"]) == ("en", "zh", "rows")
    assert (summary["rows_read"], summary["rows"], summary["dropped"]) == (2, 2, {})
    assert summary["figures"]["by_language"] == {"en": 1, "zh": 1}


def test_every_bad_row_is_told_of_with_its_field_and_reason(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "wide.png").write_bytes(picture(1, side=300))
    rows = [
        flat("What?"),
        '{"question": "cut o',
        flat(""),
        flat("Same?", "Red.", "Red."),
        flat("Gone?", image_path="gone.png"),
        flat("Broken?", image_path="broken.png"),
        flat("Outside?", image_path="../secret.png"),
        flat("Wide?", image_path="wide.png"),
        flat("Long?" * 100),
        flat("几个？"),
        {"question": "Which?", "chosen": "Red."},
    ]
    limits = {"max_characters": 200, "languages": ["en"]}
    summary = ingest(tmp_path, rows, limits=limits, image_limits={"max_pixels": 200 * 200})
    told = refusals(tmp_path)
    assert told == {
        2: ("field_invalid", "whole row"),
        3: ("field_invalid", "question"),
        4: ("answers_equal", "chosen and rejected"),
        5: ("image_missing", "images"),
        6: ("image_undecodable", "images"),
        7: ("field_invalid", "images"),
        8: ("image_too_large", "images"),
        9: ("text_too_long", "whole row"),
        10: ("language_unwanted", "question"),
        11: ("field_invalid", "rejected"),
    }
    assert summary["rows_read"] == 11 == summary["rows"] + sum(summary["dropped"].values())
    assert all(row["file"] == "rows.jsonl" and row["raw"] for row in refused(tmp_path))


def test_a_row_of_several_pairs_gives_all_and_one_of_none_is_told_of(tmp_path: Path) -> None:
    lists = [
        {"question": "Which?", "answer": ["a", "b", "c"], "score": [3, 2, 1]},
        {"question": "Ties?", "answer": ["a", "b"], "score": [1, 1]},
    ]
    summary = ingest(tmp_path, lists, format="judged_lists")
    rows = rows_in(tmp_path)
    assert [row["row_id"][-5:] for row in rows] == ["00001", "1.002", "1.003"]
    assert len({row["pair_id"] for row in rows}) == 3
    assert len({row["prompt_id"] for row in rows}) == 1
    assert summary["dropped"] == {"no_preference": 1}


def test_the_first_of_rows_that_say_the_same_stays(tmp_path: Path) -> None:
    rows = [flat("What?"), flat("what"), flat("What?", "Green."), flat("What?", "Green.")]
    summary = ingest(tmp_path, rows)
    assert [row["row"] for row in rows_in(tmp_path)] == [1, 3]
    assert summary["dropped"] == {"row_repeated": 2}
    assert refused(tmp_path)[0]["detail"] == "rows.jsonl:000000001 says the same"
    assert json.loads(refused(tmp_path)[0]["raw"])["question"] == "what"


def test_pairs_that_contradict_each_other_are_dropped(tmp_path: Path) -> None:
    summary = ingest(tmp_path, [flat("What?"), flat("What?", "Blue.", "Red."), flat("Why?")])
    assert summary["dropped"] == {"pair_contradicted": 2}


@pytest.mark.parametrize(("images", "held"), [("embed", True), ("reference", False), ("ignore", False)])
def test_images_are_embedded_named_or_not_looked_at(tmp_path: Path, images: str, held: bool) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    (tmp_path / "b.png").write_bytes(picture(1))
    rows = [flat("What?", image_path="a.png"), flat("What?", image_path="b.png"), flat("What?", image_path="c.png")]
    summary = ingest(tmp_path, rows, images=images)
    first = rows_in(tmp_path)[0]
    assert first["images"] == [{"bytes": picture(1) if held else None, "path": "a.png"}]
    expected = {} if images == "ignore" else {"image_missing": 1, "row_repeated": 1}
    assert summary["dropped"] == expected


def test_an_image_that_was_saved_anew_repeats_another_only_if_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    (tmp_path / "b.jpg").write_bytes(picture(1, "JPEG", quality=70))
    rows = [flat("What?", image_path="a.png"), flat("What?", image_path="b.jpg")]
    assert ingest(tmp_path, rows)["dropped"] == {}
    near = settings_of(tmp_path, str(tmp_path / "rows.jsonl"), duplicates={"near": {"use": ["images"]}})
    assert run_ingest(near.model_copy(update={"output": str(tmp_path / "near")}))["dropped"] == {"row_repeated": 1}


def test_the_same_call_again_does_nothing_and_another_is_refused(tmp_path: Path) -> None:
    first = ingest(tmp_path, [flat("What?"), flat("Why?")])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    assert ingest(tmp_path, [flat("What?"), flat("Why?")]) == first
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.parquet")}
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {"ingested"}
    with pytest.raises(StepChanged, match="ingested"):
        ingest(tmp_path, [flat("Where?")])


def test_workers_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SMALL_BYTES", 0)
    rows = [flat(f"What is {number % 70}?", f"It is {number % 3}.") for number in range(200)]
    (tmp_path / "in").mkdir()
    write_lines(tmp_path / "in" / "b.jsonl", rows[:100])
    write_lines(tmp_path / "in" / "a.jsonl", rows[100:])
    made = []
    for output, workers in (("one", 1), ("two", 2)):
        settings = settings_of(tmp_path, str(tmp_path / "in"))
        run_ingest(settings.model_copy(update={"output": str(tmp_path / output), "workers": workers}))
        made.append({path.name: path.read_bytes() for path in (tmp_path / output).rglob("*.parquet")})
    assert made[0] == made[1]


def test_a_data_set_of_which_nothing_can_be_used_is_an_error_that_tells_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no row can be used as flat \(field_invalid 2\)"):
        ingest(tmp_path, [{"prompt": "What?"}, {"prompt": "Why?"}])
    assert len(refused(tmp_path)) == 2


def test_a_format_that_is_not_known_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean llama_factory"):
        ingest(tmp_path, [flat("What?")], format="lama_factory")


def test_an_ingestion_that_died_goes_on_and_ends_in_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    source = write_lines(tmp_path / "rows.jsonl", [flat(f"What is {n}?", image_path="a.png") for n in range(20)])
    whole, again = (settings_of(tmp_path, source).model_copy(update={"output": str(tmp_path / o)}) for o in "ab")
    run_ingest(whole)
    with monkeypatch.context() as broken:
        broken.setattr(opening, "open_media", lambda *_: (_ for _ in ()).throw(OSError("the disk is gone")))
        with pytest.raises(StageFailed, match="the disk is gone"):
            run_ingest(again)
    assert not (tmp_path / "b" / "summary.json").exists()
    monkeypatch.setattr(reading, "map_blocks", lambda *_: pytest.fail("rows that were read are read again"))
    run_ingest(again)
    parts = [{path.name: path.read_bytes() for path in (tmp_path / o).rglob("*.parquet")} for o in "ab"]
    assert parts[0] == parts[1]
    assert parts[0]


@pytest.mark.parametrize("output", ["in", "in/out"])
def test_an_output_inside_the_folder_that_is_read_is_refused(tmp_path: Path, output: str) -> None:
    (tmp_path / "in").mkdir()
    write_lines(tmp_path / "in" / "rows.jsonl", [flat("What?")])
    settings = settings_of(tmp_path, str(tmp_path / "in"))
    with pytest.raises(ConfigError, match="is in the input"):
        run_ingest(settings.model_copy(update={"output": str(tmp_path / output)}))
