"""A training is done when its model is there, whatever happens to its workers afterwards."""

from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import RayError

from dt2it_ray.engine import ray_train
from dt2it_ray.errors import StageFailed
from dt2it_ray.stages.train_placement import TrainPlacement


class DyingTrainer:
    """Stands in for Ray's: writes what it is told to, then its workers die."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders

    def fit(self) -> None:
        for folder in self._folders:
            folder.mkdir()
        raise RayError("the machine went away")


def test_workers_that_die_after_the_model_was_written_are_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job: dict[str, Any] = {"name": "toy", "output": str(tmp_path)}
    once = TrainPlacement(max_failures=0)
    monkeypatch.setattr(ray_train, "_trainer", lambda *_: DyingTrainer())
    with pytest.raises(StageFailed, match="training toy failed: RayError: the machine went away"):
        ray_train.run_training(job, once)
    monkeypatch.setattr(ray_train, "_trainer", lambda *_: DyingTrainer(tmp_path / "model", tmp_path / "checkpoints"))
    assert ray_train.run_training(job, once) == str(tmp_path / "model")
    assert not (tmp_path / "checkpoints").exists()
