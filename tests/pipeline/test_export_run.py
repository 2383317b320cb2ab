"""What was ingested leaves in a format that trainers read, and comes back as it was."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.preferences import CRITIQUED_PREFERENCES, PREFERENCES
from dt2it_ray.errors import ConfigError
from dt2it_ray.pipeline.export_run import export_preferences
from dt2it_ray.pipeline.ingest_run import run_ingest
from tests.stages.ingest_files import flat, ingest, picture, settings_of

ROWS = [
    flat("What is it?", image_path="a.png", strength=0.5),
    flat("Where is it?", image_path="a.png"),
    flat("Which is it?", images=["a.png", "b.png"]),
    flat("Text only?"),
]


def ingested(tmp_path: Path, **fields: Any) -> str:
    for place, name in enumerate(("a.png", "b.png")):
        (tmp_path / name).write_bytes(picture(place))
    ingest(tmp_path, ROWS, **fields)
    return str(tmp_path / "out")


@pytest.mark.parametrize("to", ["llama_factory", "trl", "ms_swift", "flat"])
def test_an_export_is_read_back_as_the_same_prompts_and_answers(tmp_path: Path, to: str) -> None:
    source = ingested(tmp_path)
    export_preferences(source, str(tmp_path / "sent" / "set.json"), to)
    back = settings_of(tmp_path, str(tmp_path / "sent" / "set.json"), format=to)
    run_ingest(back.model_copy(update={"output": str(tmp_path / "back")}))
    told = []
    for folder in ("out", "back"):
        [path] = (tmp_path / folder / "ingested").rglob("00000.parquet")
        told.append(pq.read_table(path).select(["prompt_id", "question", "chosen", "rejected", "language"]))
    assert told[0].equals(told[1])
    assert told[0].num_rows == len(ROWS)


def test_embedded_images_are_written_once_by_content(tmp_path: Path) -> None:
    export_preferences(ingested(tmp_path), str(tmp_path / "sent" / "set.jsonl"), "flat")
    files = sorted((tmp_path / "sent" / "set_images").iterdir())
    assert sorted(file.read_bytes() for file in files) == sorted([picture(0), picture(1)])
    rows = [json.loads(line) for line in (tmp_path / "sent" / "set.jsonl").read_text().splitlines()]
    assert rows[0]["image_path"] == rows[1]["image_path"] == rows[2]["images"][0]
    assert (tmp_path / "sent" / rows[0]["image_path"]).read_bytes() == picture(0)


def test_an_export_may_go_to_a_uri(tmp_path: Path) -> None:
    output = (tmp_path / "sent" / "set.jsonl").as_uri()
    assert export_preferences(ingested(tmp_path), output, "trl").endswith(f"rows in {output}")
    assert len((tmp_path / "sent" / "set.jsonl").read_text().splitlines()) == len(ROWS)
    assert len(list((tmp_path / "sent" / "set_images").iterdir())) == 2


def test_images_that_were_only_named_keep_their_names(tmp_path: Path) -> None:
    source = ingested(tmp_path, images="reference")
    export_preferences(source, str(tmp_path / "sent" / "set.jsonl"), "flat")
    rows = [json.loads(line) for line in (tmp_path / "sent" / "set.jsonl").read_text().splitlines()]
    assert rows[2]["images"] == ["a.png", "b.png"]
    assert not (tmp_path / "sent" / "set_images").exists()


def test_llama_factory_is_told_of_the_file_beside_those_it_knows(tmp_path: Path) -> None:
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "dataset_info.json").write_text('{"other": {"file_name": "other.json"}}')
    export_preferences(ingested(tmp_path), str(tmp_path / "sent" / "set.json"), "llama_factory")
    told = json.loads((tmp_path / "sent" / "dataset_info.json").read_text())
    assert told["other"] == {"file_name": "other.json"}
    assert (told["set"]["file_name"], told["set"]["ranking"]) == ("set.json", True)
    assert told["set"]["columns"]["messages"] in json.loads((tmp_path / "sent" / "set.json").read_text())[0]


def test_rows_that_a_format_cannot_hold_are_told_of(tmp_path: Path) -> None:
    told = export_preferences(ingested(tmp_path), str(tmp_path / "set.jsonl"), "tulu")
    refused = (tmp_path / "set.jsonl.dropped.jsonl").read_text().splitlines()
    assert len(refused) == 3
    assert told.startswith("1 rows in")
    assert all("What" in line or "Where" in line or "Which" in line for line in refused)


def test_refused_rows_of_an_earlier_export_do_not_stay_beside_one_that_refuses_none(tmp_path: Path) -> None:
    source = ingested(tmp_path)
    export_preferences(source, str(tmp_path / "set.jsonl"), "tulu")
    assert (tmp_path / "set.jsonl.dropped.jsonl").exists()
    export_preferences(source, str(tmp_path / "set.jsonl"), "flat")
    assert not (tmp_path / "set.jsonl.dropped.jsonl").exists()


@pytest.mark.parametrize("content", ["[]", "{"])
def test_a_list_of_data_sets_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset_info.json").write_text(content)
    with pytest.raises(ConfigError, match=r"dataset_info\.json is no JSON object"):
        export_preferences(ingested(tmp_path), str(tmp_path / "set.json"), "llama_factory")


def test_parquet_has_the_columns_of_constructed_preferences(tmp_path: Path) -> None:
    export_preferences(ingested(tmp_path), str(tmp_path / "set.parquet"), "flat")
    table = pq.read_table(tmp_path / "set.parquet")
    assert table.schema.equals(PREFERENCES)
    assert table["images"].to_pylist()[0] == [{"bytes": picture(0), "path": "a.png"}]


def test_parquet_keeps_critiques_where_somebody_wrote_any_and_they_come_back(tmp_path: Path) -> None:
    rows = [flat("What?", chosen_critique="It is red, as it says."), flat("Where?")]
    ingest(tmp_path, rows)
    export_preferences(str(tmp_path / "out"), str(tmp_path / "set.parquet"), "flat")
    table = pq.read_table(tmp_path / "set.parquet")
    assert table.schema.equals(CRITIQUED_PREFERENCES)
    back = settings_of(tmp_path, str(tmp_path / "set.parquet"), format="flat")
    run_ingest(back.model_copy(update={"output": str(tmp_path / "back")}))
    [path] = (tmp_path / "back" / "ingested").rglob("00000.parquet")
    told = pq.read_table(path).sort_by([("question", "ascending")])
    assert told["chosen_critique"].to_pylist() == ["It is red, as it says.", None]
    assert told["rejected_critique"].to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("source", "output", "to", "told"),
    [
        ("out", "set.json", "helpsteer3", "only read"),
        ("out", "set.json", "nothing", "not known"),
        ("out", "set.txt", "flat", "must end in"),
        ("nowhere", "set.json", "flat", "no finished step"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, source: str, output: str, to: str, told: str) -> None:
    ingested(tmp_path)
    with pytest.raises(ConfigError, match=told):
        export_preferences(str(tmp_path / source), str(tmp_path / output), to)
