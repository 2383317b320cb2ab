"""Two workers that are killed again and again end with the bytes of a training that nobody disturbed."""

import dataclasses
import random
from pathlib import Path

import pytest

from dt2it_ray.models.evaluation_settings import EvaluationSettings
from dt2it_ray.models.sampler_settings import SamplerSettings
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import read_training_log
from tests.models.gang import train_together
from tests.models.random_model import write_toy_pairs
from tests.models.test_train_loop import WEIGHTS

KILLS = 5
EVALUATION = EvaluationSettings(held_out=0.2, every_steps=3, metric="margin", patience=12, keep="best")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    job = write_toy_pairs(tmp_path_factory.mktemp("train"), num_prompts=16)
    changed = {
        "epochs": 3,
        "learning_rate": 1e-4,
        "evaluation": EVALUATION,
        "sampler": SamplerSettings(kind="hard", every_steps=5),
    }
    settings = job.settings.model_copy(update=changed)
    return dataclasses.replace(job, settings=settings, micro_batch_pairs=2, checkpoint_every_steps=2)


def test_a_training_killed_five_times_at_random_steps_ends_with_the_same_bytes(job: TrainJob, tmp_path: Path) -> None:
    whole = dataclasses.replace(job, output=str(tmp_path / "whole"))
    assert train_together(whole, tmp_path / "s1", workers=2)
    steps = len(read_training_log(whole.output))
    killed = dataclasses.replace(job, output=str(tmp_path / "killed"))
    for last in sorted(random.Random(0).sample(range(2, steps - 1), KILLS)):
        assert not train_together(
            killed, tmp_path / "s2", workers=2, over=lambda at=last: len(read_training_log(killed.output)) >= at
        )
    assert train_together(killed, tmp_path / "s2", workers=2)
    assert (tmp_path / "killed" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()
    lines = [read_training_log(each.output) for each in (whole, killed)]
    told = [[{name: line[name] for name in line if not _is_speed(name)} for line in log] for log in lines]
    assert told[0] == told[1]


def _is_speed(name: str) -> bool:
    return name.endswith("_per_s")
