"""A training goes on with another number of workers than its checkpoint was made by, and ends with the same weights."""

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dt2it_ray.models.loss_settings import LossSettings, ShortcutSettings
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import read_training_log
from tests.models.gang import train_together
from tests.models.random_model import write_toy_pairs
from tests.models.test_train_loop import WEIGHTS

# Its divisor is a buffer, which a checkpoint has beside the weights.
LOSS = LossSettings(shortcut=ShortcutSettings(enabled=True, normalise="last_mean_1"))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    job = write_toy_pairs(tmp_path_factory.mktemp("train"), num_prompts=12)
    # A slow training: Adam makes a part of a whole step of what rounding leaves of a gradient near zero.
    settings = job.settings.model_copy(update={"loss": LOSS, "learning_rate": 1e-4})
    return dataclasses.replace(job, settings=settings, checkpoint_every_steps=3, micro_batch_pairs=2)


@pytest.fixture(scope="module")
def undisturbed(job: TrainJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert train_together(dataclasses.replace(job, output=str(folder)), folder / "state", workers=1)
    return folder


@pytest.mark.parametrize(("stage", "before", "after"), [(1, 2, 1), (2, 1, 2), (3, 3, 2)])
def test_a_training_goes_on_with_another_number_of_workers(
    job: TrainJob, undisturbed: Path, tmp_path: Path, stage: int, before: int, after: int
) -> None:
    settings = job.settings.model_copy(update={"zero_stage": stage})
    job, state = dataclasses.replace(job, settings=settings, output=str(tmp_path)), tmp_path / "state"
    assert not train_together(job, state, before, over=lambda: bool(list(state.glob("*/done"))))
    saved = read_training_log(job.output)[:3]
    assert train_together(job, state, after)
    steps = read_training_log(job.output)
    # With their seconds: these steps were not taken again.
    assert steps[:3] == saved
    whole = read_training_log(str(undisturbed))
    for name in ("loss", "margin", "shortcut_failure", "grad_norm"):
        assert [step[name] for step in steps] == pytest.approx([step[name] for step in whole], rel=1e-3, abs=1e-6)
    expected, found = load_file(undisturbed / WEIGHTS), load_file(tmp_path / WEIGHTS)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-4, atol=1e-5)
