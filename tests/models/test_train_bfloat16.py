"""A training in bfloat16 goes as one in float32 does, with every stage of ZeRO and passes of any size."""

import dataclasses
from pathlib import Path

import pytest

from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import read_training_log
from dt2it_ray.models.train_loop import train
from tests.models.random_model import write_toy_pairs
from tests.models.test_train_loop import LocalSession

pytestmark = pytest.mark.usefixtures("process_group")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    job = write_toy_pairs(tmp_path_factory.mktemp("train"), num_prompts=12)
    settings = job.settings.model_copy(update={"learning_rate": 3e-4, "warmup": 0.0, "zero_stage": 2})
    return dataclasses.replace(job, settings=settings, micro_batch_pairs=2)


@pytest.fixture(scope="module")
def in_float32(process_group: None, job: TrainJob, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    return losses(job, tmp_path_factory.mktemp("float32"))


def losses(job: TrainJob, output: Path) -> list[float]:
    train(dataclasses.replace(job, output=str(output)), LocalSession(output / "state"))
    return [step["loss"] for step in read_training_log(str(output))]


@pytest.mark.parametrize("tokens", [None, 480])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_losses_are_those_of_float32_up_to_rounding(
    job: TrainJob, in_float32: list[float], tmp_path: Path, stage: int, tokens: int | None
) -> None:
    settings = job.settings.model_copy(update={"precision": "bfloat16", "zero_stage": stage})
    found = losses(dataclasses.replace(job, settings=settings, micro_batch_tokens=tokens), tmp_path)
    assert found == pytest.approx(in_float32, abs=0.05)
    assert abs(found[-1] - found[0]) > 0.2
