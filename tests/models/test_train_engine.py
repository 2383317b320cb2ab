"""What a training's placement tells its model before the first step."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dt2it_ray.models.loss_settings import LossSettings, ShortcutSettings
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.train_engine import start_deepspeed
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_settings import TrainSettings
from tests.models.random_model import write_random_model


@pytest.mark.usefixtures("process_group")
def test_a_model_and_its_proxy_read_by_the_kernel_of_the_placement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = str(write_random_model(tmp_path / "base"))
    shortcut = ShortcutSettings(enabled=True, proxy="separate")
    settings = TrainSettings(precision="float32", loss=LossSettings(shortcut=shortcut))
    schedule: Any = SimpleNamespace(micro_batches=1, world_size=1)
    monkeypatch.setattr("deepspeed.initialize", lambda **told: (told["model"],))
    for attention in ("auto", "blocks"):
        job = TrainJob(
            settings=settings, name="toy", base=base, pairs_paths=(), rows_paths=(), output="", attention=attention
        )
        learner = start_deepspeed(new_reward_model(base, "float32", 0), job, schedule)
        assert (learner.model.attention, learner.reader.attention) == (attention, attention)


@pytest.mark.usefixtures("process_group")
def test_without_zero_a_training_in_bfloat16_begins_at_its_weights_and_before_the_first_step(tmp_path: Path) -> None:
    base = str(write_random_model(tmp_path / "base"))
    # One step of decay alone would be seen.
    settings = TrainSettings(precision="bfloat16", zero_stage=0, learning_rate=0.1, weight_decay=0.5)
    schedule: Any = SimpleNamespace(micro_batches=1, world_size=1)
    job = TrainJob(settings=settings, name="toy", base=base, pairs_paths=(), rows_paths=(), output="")
    optimizer = start_deepspeed(new_reward_model(base, "bfloat16", 0), job, schedule).optimizer
    for weights, masters in zip(optimizer.fp16_groups, optimizer.fp32_groups, strict=True):
        assert all(torch.equal(one.float(), master) for one, master in zip(weights, masters, strict=True))
    assert {float(state["step"]) for state in optimizer.optimizer.state.values()} == {0.0}
