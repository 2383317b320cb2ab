"""The benchmark of ingestion runs whole on a few rows."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from dt2it_ray.errors import StageFailed
from dt2it_ray.speed import ingest
from dt2it_ray.speed.ingest import run_ingest_speed, write_rows


def test_figures_of_both_ways_are_told_or_why_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "LOAD", "print('loaded')")
    figures = run_ingest_speed(rows=40)
    assert figures["rows"] == 40
    assert figures["dt2it"]["rows_per_s"] == pytest.approx(40 / figures["dt2it"]["wall_s"], rel=0.2, abs=1)
    if importlib.util.find_spec("datasets"):
        assert figures["times_faster"] > 0
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install" in run_ingest_speed(rows=3)["datasets"]


def test_one_row_in_a_thousand_repeats_another(tmp_path: Path) -> None:
    rows = json.loads(Path(write_rows(tmp_path / "rows.json", 2000)).read_text())
    assert len(rows) == 2000
    assert len({json.dumps(row) for row in rows}) == 1998


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(StageFailed, match="nothing to see"):
        run_ingest_speed(rows=2, command=(sys.executable, "-c", "raise SystemExit('nothing to see')"))
