"""Ingested preferences as prompt rows, and as rows of a benchmark."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dt2it_ray.data.ids import answer_id
from dt2it_ray.data.ingested import INGESTED
from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.stages import ingested_prompts
from dt2it_ray.stages.ingested_prompts import JoinSettings, load_ingested_prompts
from dt2it_ray.stages.ingested_tests import load_ingested_tests
from dt2it_ray.stages.stage import NoSettings
from dt2it_ray.store.files import Folder


def row(place: int, prompt: str, chosen: str, rejected: str, source: str = "set") -> dict[str, Any]:
    texts = {"question": f"{prompt}?", "chosen": chosen, "rejected": rejected, "category": "colour"}
    images = [{"bytes": prompt.encode(), "path": None}]
    names = {"row_id": f"{place:03}", "prompt_id": prompt, "source": source}
    return dict.fromkeys(INGESTED.names) | names | texts | {"images": images}


ROWS = [
    row(0, "p", "best", "good"),
    row(1, "q", "yes", "no"),
    row(2, "p", "good", "bad"),
    row(3, "r", "red", "blue"),
    row(4, "p", "best", "bad"),
    row(5, "q", "yes", "no", source="other"),
]


def write(tmp_path: Path, name: str, *parts: list[dict[str, Any]]) -> Folder:
    folder = Folder(str(tmp_path / name))
    for place, rows in enumerate(parts):
        folder.write_table(f"{place:05}.parquet", pa.Table.from_pylist(rows, schema=INGESTED))
    return folder


def prompts_of(folders: dict[str, Folder], **settings: Any) -> list[dict[str, Any]]:
    tables = [outcome.rows for outcome in load_ingested_prompts(folders, JoinSettings(**settings))]
    assert all(table.schema == PROMPTS for table in tables)
    return pa.concat_tables(tables).to_pylist()


@pytest.mark.parametrize("at_once", [1, 2, 50])
@pytest.mark.parametrize("cut", [1, 2, 3, 6])
def test_each_prompt_is_one_row_however_its_preferences_are_cut_into_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int, at_once: int
) -> None:
    monkeypatch.setattr(ingested_prompts, "PROMPTS_AT_ONCE", at_once)
    parts = [ROWS[begin : begin + cut] for begin in range(0, len(ROWS), cut)]
    rows = prompts_of({"rows/set": write(tmp_path, "set", *parts)})
    assert [(made["question"], made["source"]) for made in rows] == [
        ("p?", "set"),
        ("q?", "set"),
        ("r?", "set"),
        ("q?", "other"),
    ]
    assert [sorted(answer["text"] for answer in made["answers"]) for made in rows] == [
        ["bad", "best", "good"],
        ["no", "yes"],
        ["blue", "red"],
        ["no", "yes"],
    ]
    assert [len(made["labels"]) for made in rows] == [3, 1, 1, 1]
    assert rows[0]["images"] == [{"bytes": b"p", "path": None}]


def test_a_prompt_of_two_sources_has_two_names_and_its_answers_too(tmp_path: Path) -> None:
    rows = prompts_of({"rows/set": write(tmp_path, "set", ROWS)})
    first, second = rows[1], rows[3]
    assert first["prompt_id"] == "q" != second["prompt_id"]
    assert not {a["answer_id"] for a in first["answers"]} & {a["answer_id"] for a in second["answers"]}
    assert first["labels"][0]["chosen_id"] == answer_id("q", "yes")


def test_flips_are_planted_in_the_data_sets_named_and_in_no_other(tmp_path: Path) -> None:
    folders = {
        "rows/noisy": write(tmp_path, "noisy", ROWS[:1]),
        "rows/sound": write(tmp_path, "sound", ROWS[3:4]),
    }
    noisy, sound = prompts_of(folders, planted_flips={"noisy": 1.0})
    assert [label["planted_flip"] for label in noisy["labels"] + sound["labels"]] == [True, None]
    assert noisy["labels"][0]["chosen_id"] == answer_id("p", "good")


def test_every_pair_of_a_test_set_is_a_row_of_its_own(tmp_path: Path) -> None:
    folders = {"rows/mine": write(tmp_path, "mine", ROWS[:3])}
    rows = pa.concat_tables([made.rows for made in load_ingested_tests(folders, NoSettings())]).to_pylist()
    assert len({made["prompt_id"] for made in rows}) == 3
    assert [made["group"] for made in rows] == ["p", "q", "p"]
    assert {made["source"] for made in rows} == {"mine"}
    for made, chosen in zip(rows, ("best", "yes", "good"), strict=True):
        texts = {answer["answer_id"]: answer["text"] for answer in made["answers"]}
        assert texts[made["labels"][0]["chosen_id"]] == chosen
