"""A training that is told of its end saves at the next boundary of a step, and loses nothing."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.errors import Preempted
from dt2it_ray.models import train_notice
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import read_training_log
from dt2it_ray.models.train_loop import train
from tests.models.random_model import write_toy_pairs
from tests.models.test_train_loop import WEIGHTS, LocalSession

pytestmark = pytest.mark.usefixtures("process_group")


class NotifiedSession(LocalSession):
    """A worker that is told to end, or that a machine goes, when a step is written to the log."""

    def __init__(self, job: TrainJob, folder: Path, leave_after: int = 99, warn_after: int = 99) -> None:
        super().__init__(folder)
        self.output, self.leave_after, self.warn_after = job.output, leave_after, warn_after
        self.saved_at: list[int] = []

    def report(self, metrics: Mapping[str, Any], folder: str) -> None:
        self.saved_at.append(metrics["step"])
        super().report(metrics, folder)

    def leaving(self) -> bool:
        return read_training_log(self.output)[-1]["step"] >= self.leave_after

    def warned(self) -> bool:
        return read_training_log(self.output)[-1]["step"] >= self.warn_after


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    return write_toy_pairs(tmp_path_factory.mktemp("train"), num_prompts=12)


@pytest.fixture(scope="module")
def undisturbed(job: TrainJob, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    train(dataclasses.replace(job, output=str(folder)), LocalSession(folder / "state"))
    return (folder / WEIGHTS).read_bytes()


def test_a_worker_that_is_told_to_end_saves_and_no_step_is_taken_twice(
    job: TrainJob, undisturbed: bytes, tmp_path: Path
) -> None:
    told = dataclasses.replace(job, output=str(tmp_path))
    session = NotifiedSession(told, tmp_path / "state", leave_after=2)
    with pytest.raises(Preempted, match="3 of 6 steps are done and saved"):
        train(told, session)
    before = read_training_log(told.output)
    train(told, LocalSession(tmp_path / "state"))
    assert session.saved_at == [2]
    assert read_training_log(told.output)[:3] == before
    assert (tmp_path / WEIGHTS).read_bytes() == undisturbed


def test_a_warning_is_answered_with_one_checkpoint_and_training_goes_on(
    job: TrainJob, undisturbed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_notice, "ASK_EVERY_S", 0.0)
    warned = dataclasses.replace(job, output=str(tmp_path))
    session = NotifiedSession(warned, tmp_path / "state", warn_after=1)
    train(warned, session)
    assert session.saved_at == [1]
    assert (tmp_path / WEIGHTS).read_bytes() == undisturbed


def test_a_training_whose_last_step_is_done_ends_even_if_told_to(
    job: TrainJob, undisturbed: bytes, tmp_path: Path
) -> None:
    told = dataclasses.replace(job, output=str(tmp_path))
    train(told, NotifiedSession(told, tmp_path / "state", leave_after=5))
    assert (tmp_path / WEIGHTS).read_bytes() == undisturbed
