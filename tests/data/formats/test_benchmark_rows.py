"""Rows of released files are read at their places, with images or without, and refused ones keep theirs."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.formats.benchmark import BenchmarkPair
from dt2it_ray.data.formats.benchmark_rows import PlacedRow, read_rows, row_files
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.pair_benchmarks import PAIR_BENCHMARKS
from dt2it_ray.errors import InputError
from dt2it_ray.store.files import Folder
from tests.data.formats.benchmark_rows import benchmark_row, picture

VL = {"id": "RLHF-1", "query": "<image>\nWhat?", "response": ["A cat.", "A dog."], "human_ranking": [1, 0]}


def read(tmp_path: Path, name: str, file: str, rows: list[dict[str, Any]]) -> list[PlacedRow]:
    folder = Folder(str(tmp_path))
    if file.endswith(".parquet"):
        stream = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), stream)
        folder.write(file, stream.getvalue())
    else:
        whole = json.dumps(rows) if file.endswith(".json") else "".join(json.dumps(row) + "\n" for row in rows)
        folder.write(file, whole.encode())
    format = PAIR_BENCHMARKS[name]
    return list(read_rows(format, folder, row_files(format, folder)))


@pytest.mark.parametrize("file", ["data/test-00000-of-00001.parquet", "rows.jsonl"])
@pytest.mark.parametrize("extra", [{}, {"meta": "{}", "human_error_analysis": ["x"]}, {"image": {"bytes": b"no"}}])
def test_vl_rewardbench_needs_no_images(tmp_path: Path, file: str, extra: dict[str, Any]) -> None:
    if file.endswith(".jsonl") and "image" in extra:
        extra = {"image": "gone.png"}
    [row] = read(tmp_path, "vl_rewardbench", file, [VL | extra])
    assert row.pair == BenchmarkPair(item="RLHF-1", answers=("A cat.", "A dog."), chosen=1, question="What?")


def test_columns_of_pictures_are_not_read(tmp_path: Path) -> None:
    image = {"bytes": picture(1), "path": None}
    [row] = read(tmp_path, "vl_rewardbench", "data/test-00000-of-00001.parquet", [VL | {"image": image}])
    assert "image" not in row.record.fields
    folder, format = Folder(str(tmp_path)), PAIR_BENCHMARKS["vl_rewardbench"]
    [whole] = read_rows(format, folder, row_files(format, folder), images=True)
    assert whole.record.fields["image"] == image


def test_a_refused_row_keeps_its_place(tmp_path: Path) -> None:
    rows = read(tmp_path, "vl_rewardbench", "rows.jsonl", [VL, VL | {"human_ranking": [0, 0]}, VL])
    assert [type(row.pair) for row in rows] == [BenchmarkPair, RowRefused, BenchmarkPair]
    assert rows[1].where == "rows.jsonl row 2"


def test_empty_answers_count_as_official_scripts_count_them(tmp_path: Path) -> None:
    rows = read(tmp_path, "vl_rewardbench", "rows.jsonl", [VL | {"response": ["", ""]}])
    assert [row.pair.answers for row in rows if isinstance(row.pair, BenchmarkPair)] == [("", "")]


@pytest.mark.parametrize("file", ["data/all_data.json", "data/all_data_release.json"])
def test_multimodal_rewardbench_is_read_before_its_prompts_are_filled_in(tmp_path: Path, file: str) -> None:
    row = {"ID": "mathvista_1", "Text": None, "Output1": "A", "Output2": "B", "Better": "Output2"}
    rows = read(
        tmp_path, "multimodal_rewardbench", file, [row | {"Category": "reasoning"}, row | {"Meta": {"Category": "vqa"}}]
    )
    assert [row.pair for row in rows] == [
        BenchmarkPair(item="mathvista_1", answers=("A", "B"), chosen=1, category=category)
        for category in ("reasoning", "vqa")
    ]


@pytest.mark.parametrize(
    ("medium", "category"),
    [
        ({"image": "mcq/1.png"}, "mcq"),
        ({"image": "/data/short-run/mcq/x.png"}, "mcq"),
        ({"image": "images/long/1.png"}, "long"),
        ({"image": "safety_3.jpg"}, "safety"),
        ({"video": "video/abc", "image": None}, "video"),
        ({"video": "abc"}, "video"),
    ],
)
def test_mm_rlhf_rewardbench_counts_by_the_folder_of_the_medium(
    tmp_path: Path, medium: dict[str, Any], category: str
) -> None:
    row = {"id": "7", "prompt": "p", "chosen": "x", "rejected": "y"} | medium
    [read_row] = read(tmp_path, "mm_rlhf_rewardbench", "mm_reward_bench.jsonl", [row])
    assert read_row.pair == BenchmarkPair(item="7", answers=("x", "y"), chosen=0, category=category, question="p")


def test_a_medium_of_no_category_is_refused(tmp_path: Path) -> None:
    row = {"id": "7", "prompt": "p", "chosen": "x", "rejected": "y", "image": "a/b.png"}
    [read_row] = read(tmp_path, "mm_rlhf_rewardbench", "mm_reward_bench.jsonl", [row])
    assert isinstance(read_row.pair, RowRefused)
    assert "names none of" in read_row.pair.problem


def test_a_missing_shard_and_a_folder_of_something_else_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="their names promise"):
        read(tmp_path / "a", "vl_rewardbench", "data/test-00000-of-00002.parquet", [VL])
    with pytest.raises(InputError, match="has no file of mm_rlhf_rewardbench"):
        read(tmp_path / "b", "mm_rlhf_rewardbench", "other.txt", [VL])


@pytest.mark.parametrize("name", ["vl_rewardbench", "multimodal_rewardbench", "mm_rlhf_rewardbench"])
def test_what_our_writers_write_is_read_with_its_images(tmp_path: Path, name: str) -> None:
    from dt2it_ray.data.formats.benchmarks import BENCHMARK_FORMATS

    folder, format = Folder(str(tmp_path)), PAIR_BENCHMARKS[name]
    BENCHMARK_FORMATS[name].write([benchmark_row("RLHF-1", "mcq", images=(picture(5),))], folder)
    [row] = read_rows(format, folder, row_files(format, folder), images=True)
    assert isinstance(row.pair, BenchmarkPair)
    assert row.pair.answers[row.pair.chosen or 0] == "A cat."
    assert [image["bytes"] for image in format.images(folder)(row.record.fields)] == [picture(5)]
