"""Rows that stand in a benchmark are dropped and counted by benchmark; images that the benchmark lacks are told of."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dt2it_ray.data.formats import vl_rewardbench
from dt2it_ray.errors import ConfigError
from dt2it_ray.pipeline.ingest_run import run_ingest_command
from dt2it_ray.store.files import Folder
from tests.data.formats.benchmark_rows import benchmark_row
from tests.stages.ingest_files import flat, ingest, picture, refused, write_lines

LONG = "How many red cars stand in front of the old station on the left side of the picture"
ROWS = [
    flat("What is it?", image_path="copy.jpg"),
    flat("Where is it?", image_path="other.png"),
    flat(f"{LONG}?", image_path="other.png"),
    flat("Is this text?"),
]


def benchmark(tmp_path: Path, rows: list[dict[str, Any]]) -> str:
    (tmp_path / "bench").mkdir(exist_ok=True)
    (tmp_path / "bench" / "a.png").write_bytes(picture(1))
    write_lines(tmp_path / "bench" / "rows.jsonl", rows)
    (tmp_path / "copy.jpg").write_bytes(picture(1, "JPEG", quality=70))
    (tmp_path / "other.png").write_bytes(picture(2))
    return str(tmp_path / "bench")


ASKED = [flat("Which?", image_path="a.png"), flat("Is this text"), flat(f"{LONG}, please?", image_path="a.png")]


@pytest.mark.parametrize(
    ("fields", "gone"),
    [
        ({}, {1, 4}),
        ({"near": {"use": []}}, {4}),
        ({"match": "question"}, {4}),
        ({"match": "question", "near": {"use": ["questions"], "question_alike": 0.75}}, {3, 4}),
        ({"match": "either"}, {1, 4}),
        ({"match": "both"}, set()),
    ],
)
def test_what_counts_as_contained_is_set(tmp_path: Path, fields: dict[str, Any], gone: set[int]) -> None:
    folder = benchmark(tmp_path, ASKED)
    summary = ingest(tmp_path, ROWS, decontaminate={"benchmarks": {"flat": folder}, **fields})
    assert {row["row"] for row in refused(tmp_path)} == gone
    assert summary["in_benchmarks"] == {"flat": len(gone)}
    assert all(row["reason"] == "in_benchmark" for row in refused(tmp_path))


def test_two_test_sets_of_one_format_are_told_apart_by_names_of_their_own(tmp_path: Path) -> None:
    mine = benchmark(tmp_path, ASKED)
    (tmp_path / "theirs").mkdir()
    write_lines(tmp_path / "theirs" / "rows.jsonl", [flat("Where is it?", image_path="o.png")])
    (tmp_path / "theirs" / "o.png").write_bytes(picture(2))
    benchmarks = {"flat@mine": mine, "flat@theirs": str(tmp_path / "theirs")}
    (tmp_path / "new.png").write_bytes(picture(3))
    summary = ingest(tmp_path, [*ROWS, flat("New?", image_path="new.png")], decontaminate={"benchmarks": benchmarks})
    assert summary["in_benchmarks"] == {"flat@mine": 2, "flat@theirs": 2}


def test_a_released_benchmark_is_read_in_its_own_layout(tmp_path: Path) -> None:
    benchmark(tmp_path, ASKED)
    row = benchmark_row("hallucination-1", images=(picture(1),))
    vl_rewardbench.write([row], Folder(str(tmp_path / "vl")))
    summary = ingest(tmp_path, ROWS, decontaminate={"benchmarks": {"vl_rewardbench": str(tmp_path / "vl")}})
    assert summary["in_benchmarks"] == {"vl_rewardbench": 1}
    assert [row["row"] for row in refused(tmp_path)] == [1]


@pytest.mark.parametrize("use", [["images"], ["images", "questions"]])
def test_images_of_a_released_row_whose_pair_cannot_be_read_are_still_known(tmp_path: Path, use: list[str]) -> None:
    benchmark(tmp_path, ASKED)
    row = benchmark_row("hallucination-1", images=(picture(1),))
    vl_rewardbench.write([row], Folder(str(tmp_path / "vl")))
    [released] = pq.read_table(tmp_path / "vl" / vl_rewardbench.FILE).to_pylist()
    tied = pa.Table.from_pylist([released | {"human_ranking": [0, 0]}], schema=vl_rewardbench.LAYOUT)
    pq.write_table(tied, tmp_path / "vl" / vl_rewardbench.FILE)
    clean = {"benchmarks": {"vl_rewardbench": str(tmp_path / "vl")}, "near": {"use": use}}
    summary = ingest(tmp_path, ROWS, decontaminate=clean)
    assert summary["benchmarks"]["vl_rewardbench"] == {"rows": 1, "rows_refused": 1}
    assert [row["row"] for row in refused(tmp_path)] == [1]


def test_rows_of_a_test_set_that_cannot_be_read_are_told_of(tmp_path: Path) -> None:
    folder = benchmark(tmp_path, [*ASKED, flat("Same?", "Red.", "Red.", image_path="a.png")])
    named = {"files.input": write_lines(tmp_path / "rows.jsonl", ROWS), "output": str(tmp_path / "out")}
    over = ["ingest.format=flat", f"ingest.decontaminate.benchmarks={json.dumps({'flat': folder})}"]
    assert "2 in flat, of 4 rows; 1 rows cannot be read" in list(run_ingest_command(named, None, over))


def test_the_command_tells_what_was_dropped_and_which_images_a_benchmark_lacks(tmp_path: Path) -> None:
    folder = benchmark(tmp_path, [*ASKED, flat("Gone?", image_path="gone.png")])
    source = write_lines(tmp_path / "rows.jsonl", ROWS)
    named = {"files.input": source, "output": str(tmp_path / "out"), "ingest.format": "flat"}
    over = [f"ingest.decontaminate.benchmarks={json.dumps({'flat': folder})}"]
    told = "\n".join(run_ingest_command(named, None, over))
    assert "2 of 4 rows in" in told
    assert "2 dropped: in_benchmark" in told
    assert "2 in flat, of 4 rows; images of 1 rows are missing" in told


def test_a_benchmark_that_is_not_there_or_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there are no files in"):
        ingest(tmp_path, ROWS, decontaminate={"benchmarks": {"flat": str(tmp_path / "nowhere")}})
    with pytest.raises(ConfigError, match="there is no benchmark 'nothing'"):
        ingest(tmp_path, ROWS, decontaminate={"benchmarks": {"nothing": str(tmp_path)}})
