import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.formats import vl_rewardbench
from dt2it_ray.errors import InputError
from dt2it_ray.rules.benchmarks import CATEGORY_RULES
from dt2it_ray.store.files import Folder
from tests.data.formats.benchmark_rows import benchmark_row, pair_texts, picture


def released(**changes: Any) -> dict[str, Any]:
    row = {
        "id": "RLAIF-V-7",
        "query": "What is it?",
        "response": ["A cat.", "A dog."],
        "image": {"bytes": picture(1), "path": "1.png"},
        "human_ranking": [0, 1],
        "models": ["a", "b"],
        "judge": "human",
        "rationale": "",
        "query_source": "COCO",
        "ground_truth": "",
    }
    return {**row, **changes}


def store(folder: Folder, rows: Sequence[dict[str, Any]], name: str = vl_rewardbench.FILE) -> None:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), stream)
    folder.write(name, stream.getvalue())


def test_the_file_has_the_released_columns_and_ranks(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    vl_rewardbench.write([benchmark_row("RLHF-1"), benchmark_row("RLHF-2", chosen=1, reference="dog")], folder)
    table = folder.read_table(vl_rewardbench.FILE)
    assert table.schema.equals(vl_rewardbench.LAYOUT)
    assert table["response"].to_pylist() == [["A cat.", "A dog."]] * 2
    assert table["human_ranking"].to_pylist() == [[0, 1], [1, 0]]
    assert table["ground_truth"].to_pylist() == ["", "dog"]


def test_rank_zero_is_the_better_response(tmp_path: Path) -> None:
    store(Folder(str(tmp_path)), [released(), released(human_ranking=[1, 0], ground_truth="dog")])
    first, second = next(vl_rewardbench.read(Folder(str(tmp_path)))).rows.to_pylist()
    assert pair_texts(first) == ("A cat.", "A dog.")
    assert pair_texts(second) == ("A dog.", "A cat.")
    assert (first["reference"], second["reference"]) == (None, "dog")
    assert [answer["text"] for answer in second["answers"]] == ["A cat.", "A dog."]


def test_other_generations_of_the_file_are_read(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    store(folder, [released(meta="{}", human_error_analysis=["x"], query="<image>\nWhat?")])
    store(folder, [released()], "data/train-00000-of-00001.parquet")
    rows = next(vl_rewardbench.read(folder)).rows
    assert rows["question"].to_pylist() == ["What?"]


def test_an_id_without_separator_is_its_own_item(tmp_path: Path) -> None:
    store(Folder(str(tmp_path)), [released(id="LRVInstruction"), released(id="mathverse")])
    rows = next(vl_rewardbench.read(Folder(str(tmp_path)))).rows.to_pylist()
    rule = CATEGORY_RULES[vl_rewardbench.NAME]
    assert [rule(row["item"], row["category"]) for row in rows] == ["general", "reasoning"]
    assert [row["group"] for row in rows] == ["LRVInstruction", "mathverse"]


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"id": None}, "field_invalid", "field id: None is not a text"),
        ({"query": "  "}, "field_invalid", "field query: empty"),
        ({"response": ["only one"]}, "field_invalid", "field response"),
        ({"response": None}, "field_invalid", "field response"),
        ({"response": ["fine", ""]}, "field_invalid", "field response[1]: empty"),
        ({"human_ranking": [0, 0]}, "field_invalid", "field human_ranking: [0, 0]"),
        ({"human_ranking": [1, 2]}, "field_invalid", "field human_ranking: [1, 2]"),
        ({"human_ranking": None}, "field_invalid", "field human_ranking: None"),
        ({"image": None}, "image_missing", "field image"),
        ({"image": {"bytes": None, "path": "gone.png"}}, "image_missing", "gone.png"),
        ({"image": {"bytes": b"GIF", "path": "x.gif"}}, "image_undecodable", "x.gif"),
    ],
)
def test_a_bad_row_is_dropped_with_its_place(tmp_path: Path, changes: dict[str, Any], reason: str, detail: str) -> None:
    store(Folder(str(tmp_path)), [released(), released(**changes)])
    batch = next(vl_rewardbench.read(Folder(str(tmp_path))))
    [dropped] = batch.dropped.to_pylist()
    assert batch.rows.num_rows == 1
    assert dropped["reason"] == reason
    assert dropped["detail"].startswith(f"{vl_rewardbench.FILE} row 2, ")
    assert detail in dropped["detail"]


def test_shards_are_read_in_order(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    store(folder, [released(id="second")], "data/test-00001-of-00002.parquet")
    store(folder, [released(id="first")], "data/test-00000-of-00002.parquet")
    assert next(vl_rewardbench.read(folder)).rows["item"].to_pylist() == ["first", "second"]


@pytest.mark.parametrize("other", ["data/test-00001-of-00003.parquet", "data/test-00000-of-00002.parquet"])
def test_a_missing_or_foreign_shard_is_an_error(tmp_path: Path, other: str) -> None:
    folder = Folder(str(tmp_path))
    store(folder, [released()])
    store(folder, [released()], other)
    with pytest.raises(InputError, match="2 test files"):
        list(vl_rewardbench.read(folder))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "x", "query": "y"}], "lacks the columns"),
        ([released(response='["A cat.", "A dog."]')], "column response is string"),
    ],
)
def test_another_layout_is_an_error_that_names_the_column(tmp_path: Path, rows: Any, message: str) -> None:
    store(Folder(str(tmp_path)), rows)
    with pytest.raises(InputError, match=message):
        list(vl_rewardbench.read(Folder(str(tmp_path))))


def test_a_file_without_rows_is_an_error(tmp_path: Path) -> None:
    vl_rewardbench.write([], Folder(str(tmp_path)))
    with pytest.raises(InputError, match="no rows"):
        list(vl_rewardbench.read(Folder(str(tmp_path))))
