"""Trainings with other heads, fusions and backbones resume exactly and end in folders that score as they learned."""

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from dt2it_ray.data.chat import answered
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.models.reward_files import new_reward_model
from dt2it_ray.models.reward_settings import ModelSettings
from dt2it_ray.models.torch_scorer import TorchScorer
from dt2it_ray.models.train_log import read_training_log
from dt2it_ray.models.train_loop import TrainJob, train
from tests.models.random_families import write_family
from tests.models.random_model import ANSWERS, picture, write_toy_pairs
from tests.models.test_train_loop import Interrupted, LocalSession

pytestmark = pytest.mark.usefixtures("process_group")

WEIGHTS = "model/model.safetensors"


def with_model(job: TrainJob, output: Path, base: str | None = None, **settings: Any) -> TrainJob:
    """The job with other settings of the model, on another base."""
    changed = job.settings.model_copy(update={"model": ModelSettings(**settings)})
    return dataclasses.replace(job, settings=changed, output=str(output), base=base or job.base)


def without_images(job: TrainJob, folder: Path) -> TrainJob:
    """The job on prompts of text alone."""
    rows = pq.read_table(job.rows_paths[0][0])
    images = pa.array([[]] * rows.num_rows, rows.schema.field("images").type)
    pq.write_table(rows.set_column(rows.schema.get_field_index("images"), "images", images), folder / "rows")
    return dataclasses.replace(job, rows_paths=((str(folder / "rows"),),))


def margins(folder: Path, *images: bytes) -> list[float]:
    """Reward of the answer that is always preferred, minus that of each other one."""
    chats = [
        Conversation(tuple(answered("How many red circles are in image 3?", len(images), text)), images)
        for text in ANSWERS.values()
    ]
    best, *others = TorchScorer(str(folder / "model"), threads=1).score(chats)
    return [best - other for other in others]  # pyright: ignore[reportOperatorIssue]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    return write_toy_pairs(tmp_path_factory.mktemp("train"), num_prompts=8)


@pytest.mark.parametrize(
    "settings",
    [
        {"head": "silu", "head_width": 64, "pooling": "mean"},
        {"head": "tanh", "fusion": "late"},
        {"fusion": "cross_attention", "pooling": "mean", "freeze_projector": False},
    ],
)
def test_a_readout_learns_resumes_with_the_same_bytes_and_is_scored_as_it_learned(
    job: TrainJob, tmp_path: Path, settings: dict[str, Any]
) -> None:
    whole = with_model(job, tmp_path / "whole", **settings)
    train(whole, LocalSession(tmp_path / "state"))
    steps = read_training_log(whole.output)
    assert steps[-1]["loss"] < 0.6 * steps[0]["loss"]
    assert min(margins(tmp_path / "whole", picture(3))) > 0
    broken = dataclasses.replace(whole, output=str(tmp_path / "again"), checkpoint_every_steps=1)
    with pytest.raises(Interrupted):
        train(broken, LocalSession(tmp_path / "half", checkpoints_to_live=2))
    train(broken, LocalSession(tmp_path / "half"))
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()


def test_a_text_model_with_a_frozen_trunk_learns_in_its_last_layer_and_head_alone(
    job: TrainJob, tmp_path: Path
) -> None:
    base = write_family(tmp_path / "base", "qwen3")
    text_job = without_images(with_model(job, tmp_path / "out", base, head="silu", freeze_layers=1), tmp_path)
    train(text_job, LocalSession(tmp_path / "state"))
    assert min(margins(tmp_path / "out")) > 0
    before, after = load_file(Path(base, "model.safetensors")), load_file(tmp_path / "out" / WEIGHTS)
    changed = {name for name in after if name in before and not torch.equal(after[name], before[name])}
    assert {name.split(".")[1] + name.split(".")[2] for name in changed} == {"layers1", "normweight"}
    drawn = new_reward_model(base, "float32", text_job.settings.seed, ModelSettings(head="silu"))
    assert not torch.equal(after["score.0.weight"], drawn.get_parameter("score.0.weight"))


def test_separate_passes_learn_the_same_weights_as_shared_prompts(job: TrainJob, tmp_path: Path) -> None:
    weights = []
    for shared in (True, False):
        train(with_model(job, tmp_path / str(shared), shared_prompt=shared), LocalSession(tmp_path / f"s{shared}"))
        weights.append(load_file(tmp_path / str(shared) / WEIGHTS))
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, rtol=1e-3, atol=1e-4)
