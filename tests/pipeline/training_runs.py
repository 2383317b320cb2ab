"""Trainings without Ray: the loop is replaced by one that writes what a real one leaves, all else is real."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.engine import ray_train
from dt2it_ray.models.train_log import SUMMARY, TRAINING_LOG
from dt2it_ray.models.train_rows import open_training_rows
from dt2it_ray.pipeline import drive
from dt2it_ray.pipeline.train_command import TrainRunSettings
from tests.stages.ingest_files import flat, write_lines

ROWS = [flat(f"What {n}?", f"Red {n}.", f"Blue {n}.", strength=float(n)) for n in range(6)]


class FakeTraining:
    """Writes a model whose weights are the pairs that it was given; `refuse` names those that it cannot use."""

    def __init__(self, refuse: Callable[[str], bool] = lambda question: False) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.rows: Any = None
        self.held_out: Any = None
        self._refuse = refuse
        self.fails: Exception | None = None

    def __call__(self, job: dict[str, Any], placement: Any) -> None:
        self.jobs.append({**job, "placement": placement})
        if self.fails:
            raise self.fails
        critiques = job["settings"]["loss"]["critique"]["enabled"]
        self.rows = open_training_rows(job["pairs_paths"], job["rows_paths"], critiques)
        if "held_out_paths" in job:
            self.held_out = open_training_rows(job["held_out_paths"], job["rows_paths"], critiques)
        output = Path(job["output"])
        (output / "model").mkdir(parents=True, exist_ok=True)
        pairs = [self.rows.pair(place) for place in range(len(self.rows))]
        refused = [pair for pair in pairs if self._refuse(pair.chosen.messages[-1]["content"])]
        told = {"step": 0, "key": "", "reason": "prompt_too_long", "detail": "99 tokens", "evidence": "..."}
        lines = "".join(json.dumps({**told, "key": pair.pair_id}) + "\n" for pair in refused)
        (output / "dropped-0.jsonl").write_text(lines)
        line = {"step": 0, "pairs": len(pairs) - len(refused), "pairs_per_s": 4.0, "tokens": 120, "tokens_per_s": 60.0}
        (output / TRAINING_LOG).write_text(json.dumps(line) + "\n")
        figures = {"steps": 1, "pairs_per_s": 4.0, "loss": 0.5, "accuracy": 0.75, "margin": 0.25}
        (output / SUMMARY).write_text(json.dumps(figures))
        (output / "model" / "weights").write_text(str(sorted(pair.pair_id for pair in pairs)))


def take_over(monkeypatch: pytest.MonkeyPatch, training: FakeTraining) -> FakeTraining:
    """Train with this from now on, and start no Ray."""
    monkeypatch.setattr(ray_train, "run_training", training)
    monkeypatch.setattr(drive, "ray_session", lambda needs: contextlib.nullcontext())
    return training


def settings_of(tmp_path: Path, rows: list[Any] | None = None, **tree: Any) -> TrainRunSettings:
    """Settings of a training on flat rows, written to `tmp_path/out`."""
    source = write_lines(tmp_path / "rows.jsonl", ROWS if rows is None else rows)
    given = {"files": {"input": source}, "ingest": {"format": "flat"}, "output": str(tmp_path / "out"), **tree}
    return TrainRunSettings.model_validate(given)


def refused(tmp_path: Path) -> list[tuple[str, int, str]]:
    """File, row and reason of each refused row."""
    lines = (tmp_path / "out" / "dropped.jsonl").read_text("utf-8").splitlines()
    return [(row["file"], row["row"], row["reason"]) for row in map(json.loads, lines)]
