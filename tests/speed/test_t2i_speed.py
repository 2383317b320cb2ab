"""The benchmark of the text-to-image conversion runs whole on a few rows."""

import sys
from pathlib import Path

import pytest

from dt2it_ray.errors import StageFailed
from dt2it_ray.speed.t2i import run_t2i

JOB = (sys.executable, str(Path(__file__).parents[2] / "jobs" / "t2i.py"))


def test_figures_of_all_three_ways_are_told() -> None:
    figures = run_t2i(rows=50, repeats=1, command=JOB)
    assert figures["rows"] == 50
    for way in ("plain", "jsonl", "parquet"):
        assert figures[f"{way}_s"] > 0
        assert figures[f"{way}_mib"] > 1
    assert figures["jsonl_times_faster"] == pytest.approx(figures["plain_s"] / figures["jsonl_s"], rel=0.05)


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(StageFailed, match="nothing to see"):
        run_t2i(rows=2, repeats=1, command=(sys.executable, "-c", "raise SystemExit('nothing to see')"))
