"""Damaged files in a run: refused with their name, or left out with a reason; never a traceback, never a lost row."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.loop.runs import LIMIT_S, copy_steps, rows_of, run_loop, summary_of

pytestmark = [pytest.mark.loop, pytest.mark.timeout(2 * LIMIT_S)]


def test_a_truncated_table_is_named_and_nothing_is_made_from_it(finished: Path, tmp_path: Path) -> None:
    copy_steps(finished, tmp_path / "smoke", lambda step: step != "iter-01/evaluate")
    [part] = (tmp_path / "smoke" / "iter-01" / "score-benchmarks").glob("*/*.parquet")
    part.write_bytes(part.read_bytes()[:-20])
    told = run_loop(tmp_path)
    assert told.returncode == 1
    assert str(part) in told.stderr
    assert "damaged" in told.stderr
    assert "Traceback" not in told.stderr
    assert not (tmp_path / "smoke" / "iter-01" / "evaluate" / "manifest.json").exists()


def test_a_corrupt_image_costs_its_row_only_and_is_told(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "smoke"
    later = ("load", "score-benchmarks", "evaluate")
    copy_steps(finished, run, lambda step: not step.endswith(later))
    image = sorted((run / "sources" / "multimodal_rewardbench").rglob("*.png"))[0]
    image.write_bytes(image.read_bytes()[:100])
    told = run_loop(tmp_path)
    assert told.returncode == 0, told.stderr
    manifest = json.loads((run / "benchmarks" / "load" / "manifest.json").read_text())
    [listed] = manifest["dropped"]
    [dropped] = pq.read_table(run / "benchmarks" / "load" / manifest["fingerprint"] / listed["name"]).to_pylist()
    assert dropped["reason"] == "image_undecodable"
    assert image.name in dropped["detail"]
    before, after = rows_of(finished, "benchmarks/load"), rows_of(run, "benchmarks/load")
    assert len(after) == len(before) - 1
    figures = [summary_of(folder)["benchmarks"]["iter-01"] for folder in (finished, run)]
    assert figures[1]["multimodal_rewardbench"]["n"] == figures[0]["multimodal_rewardbench"]["n"] - 1
    assert figures[1]["vl_rewardbench"] == figures[0]["vl_rewardbench"]
