"""What ZeRO splits over workers and leaves in the machine's memory changes rounding only, for all kinds of models."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import load_file

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.evaluation_settings import EvaluationSettings
from dt2it_ray.models.reward_settings import LoraSettings, ModelSettings
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import read_training_log
from dt2it_ray.models.train_loop import train
from tests.models.gang import train_together
from tests.models.random_model import write_toy_pairs
from tests.models.test_train_loop import WEIGHTS, Interrupted, LocalSession

pytestmark = pytest.mark.usefixtures("process_group")
LORA = LoraSettings(rank=4, alpha=8, targets=("q_proj", "up_proj"))
BEST = EvaluationSettings(held_out=0.3, every_steps=1, keep="best")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    job = write_toy_pairs(tmp_path_factory.mktemp("train"), num_prompts=8)
    return dataclasses.replace(job, micro_batch_pairs=2)


def changed(job: TrainJob, output: Path, **settings: Any) -> TrainJob:
    chosen = job.settings.model_copy(update={"learning_rate": 3e-4, **settings})
    return dataclasses.replace(job, settings=chosen, output=str(output))


def assert_alike(first: Path, second: Path) -> None:
    expected, found = load_file(first / WEIGHTS), load_file(second / WEIGHTS)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        ModelSettings(head="silu", head_width=24, fusion="late", lora=LORA),
        ModelSettings(head="tanh", fusion="cross_attention", pooling="mean", freeze_projector=False),
    ],
    ids=["late-lora", "cross-attention"],
)
def test_two_workers_with_zero_3_learn_and_keep_what_one_does(
    job: TrainJob, tmp_path: Path, model: ModelSettings
) -> None:
    train(changed(job, tmp_path / "one", model=model, evaluation=BEST), LocalSession(tmp_path / "s1"))
    split = changed(job, tmp_path / "two", model=model, evaluation=BEST, zero_stage=3)
    assert train_together(split, tmp_path / "s2", workers=2)
    figures = [[step["eval_loss"] for step in read_training_log(str(tmp_path / name))] for name in ("one", "two")]
    assert figures[1] == pytest.approx(figures[0], rel=1e-3, abs=1e-6)
    assert_alike(tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize(
    ("stage", "offload"), [(1, "none"), (1, "optimizer"), (2, "optimizer"), (3, "optimizer"), (3, "weights")]
)
def test_what_is_left_in_the_machines_memory_learns_the_same_and_resumes_exactly(
    job: TrainJob, tmp_path: Path, stage: int, offload: Literal["none", "optimizer", "weights"]
) -> None:
    train(changed(job, tmp_path / "plain"), LocalSession(tmp_path / "s1"))
    left = dataclasses.replace(changed(job, tmp_path / "left", zero_stage=stage), offload=offload)
    train(left, LocalSession(tmp_path / "s2"))
    assert_alike(tmp_path / "plain", tmp_path / "left")
    killed = dataclasses.replace(left, output=str(tmp_path / "killed"), checkpoint_every_steps=1)
    with pytest.raises(Interrupted):
        train(killed, LocalSession(tmp_path / "s3", checkpoints_to_live=2))
    train(killed, LocalSession(tmp_path / "s3"))
    assert (tmp_path / "killed" / WEIGHTS).read_bytes() == (tmp_path / "left" / WEIGHTS).read_bytes()


def test_what_zero_does_not_split_cannot_be_left(job: TrainJob, tmp_path: Path) -> None:
    left = dataclasses.replace(changed(job, tmp_path), offload="weights")
    with pytest.raises(ConfigError, match=r"offload=weights needs train\.zero_stage=3 or more, and it is 2"):
        train(left, LocalSession(tmp_path / "state"))
