"""On a live cluster a training grows, survives the loss of a machine, and saves when Ray says that one will go."""

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import read_training_log
from tests.engine.elastic_cluster import HELD_AT, SAVED_AT, SAVED_EVERY, train_while
from tests.engine.test_ray_train import fields
from tests.models.gang import train_together
from tests.models.random_model import write_toy_pairs
from tests.models.test_train_loop import WEIGHTS

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]
STEPS = 16


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    job = write_toy_pairs(tmp_path_factory.mktemp("elastic"), num_prompts=2 * STEPS)
    # A slow training: Adam makes a part of a whole step of what rounding leaves of a gradient near zero.
    return dataclasses.replace(job, settings=job.settings.model_copy(update={"learning_rate": 1e-4}))


@pytest.fixture(scope="module")
def undisturbed(job: TrainJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert train_together(dataclasses.replace(job, output=str(folder)), folder / "state", workers=1)
    return folder


def assert_same_training(output: Path, undisturbed: Path, workers: list[int]) -> None:
    """That it took each step once in the end, with so many workers, and ended with the same weights up to rounding."""
    steps, whole = read_training_log(str(output)), read_training_log(str(undisturbed))
    assert [step["step"] for step in steps] == list(range(STEPS))
    assert [step["workers"] for step in steps] == workers
    assert [step["loss"] for step in steps] == pytest.approx([step["loss"] for step in whole], rel=1e-3, abs=1e-6)
    expected, found = load_file(undisturbed / WEIGHTS), load_file(output / WEIGHTS)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-4, atol=1e-5)


def test_a_training_begins_with_the_workers_there_is_room_for_and_grows_with_the_cluster(
    job: TrainJob, undisturbed: Path, tmp_path: Path
) -> None:
    train_while("grow", fields(job, tmp_path), SAVED_EVERY)
    # The steps after the newest checkpoint are taken again, by both.
    assert_same_training(tmp_path, undisturbed, [1] * SAVED_AT + [2] * (STEPS - SAVED_AT))


def test_a_training_goes_on_with_the_workers_that_a_killed_machine_leaves(
    job: TrainJob, undisturbed: Path, tmp_path: Path
) -> None:
    train_while("lose", fields(job, tmp_path), SAVED_EVERY)
    assert_same_training(tmp_path, undisturbed, [2] * SAVED_AT + [1] * (STEPS - SAVED_AT))


def test_a_machine_that_is_drained_costs_no_step_that_was_done_when_ray_told(
    job: TrainJob, undisturbed: Path, tmp_path: Path
) -> None:
    # The only checkpoint is that of the notice.
    seen = train_while("drain", fields(job, tmp_path), 1000)
    assert seen == {"saved": 1}
    assert_same_training(tmp_path, undisturbed, [2] * HELD_AT + [1] * (STEPS - HELD_AT))
