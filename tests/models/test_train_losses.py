"""A training with terms of the loss: what they do to the model does not depend on micro-batches, and all are logged."""

import dataclasses
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dt2it_ray.errors import StageFailed
from dt2it_ray.models.loss_settings import ContrastiveSettings, LossSettings, ShortcutSettings
from dt2it_ray.models.train_log import read_refused_pairs, read_training_log
from dt2it_ray.models.train_loop import TrainJob, train
from tests.models.random_model import write_toy_pairs
from tests.models.test_train_loop import WEIGHTS, Interrupted, LocalSession

pytestmark = pytest.mark.usefixtures("process_group")
ALL_TERMS = LossSettings(
    margin_scale=0.1, soft_temperature=1.0, label_smoothing=0.1, tie_weight=1.0, centring=0.01, scaling_boost=0.5
)
SHORTCUT = LossSettings(shortcut=ShortcutSettings(enabled=True, normalise="last_mean_1"))
CONTRASTIVE = LossSettings(contrastive=ContrastiveSettings(weight=1.0, images=2))
KWISE = LossSettings(kwise=True, shortcut=ShortcutSettings(enabled=True))
STRENGTHS = (2.0, None, 0.0, -0.5, 6.0, 1.0)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    return write_toy_pairs(tmp_path_factory.mktemp("train"), num_prompts=6)


def with_strengths(job: TrainJob, folder: Path, strengths: tuple[float | None, ...]) -> TrainJob:
    """The job on the first part of its pairs with a column of strengths and one of weights, writing to the folder."""
    pairs = pq.read_table(job.pairs_paths[0])
    folder.mkdir(parents=True, exist_ok=True)
    columns = {"strength": pa.array(strengths, pa.float64()), "weight": pa.array([1.0, 2.0, 0.5, 1.0, 1.0, 3.0])}
    for name, column in columns.items():
        pairs = pairs.append_column(name, column)
    pq.write_table(pairs, folder / "pairs")
    return dataclasses.replace(job, pairs_paths=(str(folder / "pairs"),), output=str(folder))


def trained(job: TrainJob, loss: LossSettings) -> Path:
    job = dataclasses.replace(job, settings=job.settings.model_copy(update={"loss": loss}))
    train(job, LocalSession(Path(job.output, "state")))
    return Path(job.output)


@pytest.mark.parametrize("loss", [ALL_TERMS, SHORTCUT, CONTRASTIVE], ids=["terms", "shortcut", "contrastive"])
def test_micro_batches_change_no_more_than_rounding(job: TrainJob, tmp_path: Path, loss: LossSettings) -> None:
    from safetensors.torch import load_file

    job = with_strengths(job, tmp_path / "whole", STRENGTHS)
    whole = trained(job, loss)
    parts = trained(dataclasses.replace(job, micro_batch_pairs=1, output=str(tmp_path / "parts")), loss)
    expected, found = load_file(whole / WEIGHTS), load_file(parts / WEIGHTS)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-3, atol=1e-4)
    plain = trained(dataclasses.replace(job, output=str(tmp_path / "plain")), LossSettings())
    moved = load_file(plain / WEIGHTS)["score.weight"] - expected["score.weight"]
    assert moved.abs().max() > 1e-3
    for one, other in zip(read_training_log(str(whole)), read_training_log(str(parts)), strict=True):
        figures = [name for name in one if not name.endswith("_per_s")]
        assert {"loss", "loss_preference", "margin", "chosen_reward"} < set(figures)
        assert [other[name] for name in figures] == pytest.approx([one[name] for name in figures], rel=1e-3, abs=1e-4)


def test_the_log_tells_the_mean_of_each_term_the_rewards_and_the_rates(job: TrainJob, tmp_path: Path) -> None:
    steps = read_training_log(str(trained(with_strengths(job, tmp_path, STRENGTHS), ALL_TERMS)))
    for step in steps:
        assert step["loss"] == pytest.approx(step["loss_preference"] + step["loss_centring"], rel=1e-5)
        assert step["loss_centring"] > 0
        assert step["margin"] == pytest.approx(step["chosen_reward"] - step["rejected_reward"], abs=1e-6)
        assert step["tokens"] > step["pairs"] > 0
        assert step["tokens_per_s"] > 0
        assert step["learning_rate"] <= job.settings.learning_rate


def test_a_loss_that_is_not_finite_names_its_pair(job: TrainJob, tmp_path: Path) -> None:
    pairs = with_strengths(job, tmp_path, (1.0, 1.0, 1.0, math.inf, 1.0, 1.0))
    with pytest.raises(StageFailed, match=r"a reward or a loss is not finite\. Pairs: pair-short-003\. Look"):
        trained(pairs, LossSettings(margin_scale=1.0))


@pytest.mark.parametrize("stage", [0, 2])
def test_a_gradient_that_is_not_finite_names_the_pairs_of_its_step(job: TrainJob, tmp_path: Path, stage: int) -> None:
    # Losses are finite, and the square of the gradient's norm is not.
    pairs = with_strengths(job, tmp_path, (0.0,) * 6)
    pairs = dataclasses.replace(pairs, settings=pairs.settings.model_copy(update={"zero_stage": stage}))
    with pytest.raises(
        StageFailed, match=r"step 0: the gradient is not finite\. Pairs: (pair-short-00\d(, )?){4}\. Look"
    ):
        trained(pairs, LossSettings(tie_weight=1e36))


@pytest.mark.parametrize("proxy", ["backbone", "separate"])
def test_a_training_beside_its_proxy_resumes_exactly_and_leaves_a_model_without_it(
    proxy: str, job: TrainJob, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    loss = SHORTCUT.model_copy(update={"shortcut": SHORTCUT.shortcut.model_copy(update={"proxy": proxy})})
    job = with_strengths(job, tmp_path / "undisturbed", STRENGTHS)
    undisturbed = trained(job, loss)
    killed = dataclasses.replace(
        job,
        settings=job.settings.model_copy(update={"loss": loss}),
        output=str(tmp_path / "killed"),
        checkpoint_every_steps=1,
    )
    with pytest.raises(Interrupted):
        train(killed, LocalSession(tmp_path / "state", checkpoints_to_live=1))
    train(killed, LocalSession(tmp_path / "state"))
    assert (tmp_path / "killed" / WEIGHTS).read_bytes() == (undisturbed / WEIGHTS).read_bytes()
    assert not [name for name in load_file(undisturbed / WEIGHTS) if name.split(".")[0] in ("proxy", "focus", "reader")]
    first, second = read_training_log(str(undisturbed))
    assert 0 < first["shortcut_failure"] < 1
    assert second["loss"] == pytest.approx(second["loss_preference"] + second["loss_proxy"], rel=1e-5)
    assert 0 <= second["proxy_accuracy"] <= 1


def test_groups_of_answers_are_trained_on_in_any_micro_batches(job: TrainJob, tmp_path: Path) -> None:
    whole = trained(dataclasses.replace(job, output=str(tmp_path / "whole")), KWISE)
    parts = trained(dataclasses.replace(job, output=str(tmp_path / "parts"), micro_batch_pairs=1), KWISE)
    steps = read_training_log(str(whole))
    # Six groups of three answers in batches of four groups.
    assert [step["pairs"] for step in steps] == [8, 4]
    for one, other in zip(steps, read_training_log(str(parts)), strict=True):
        figures = [name for name in one if not name.endswith("_per_s")]
        assert [other[name] for name in figures] == pytest.approx([one[name] for name in figures], rel=1e-3, abs=1e-4)


def test_a_group_loses_only_the_answers_that_cannot_be_used(job: TrainJob, tmp_path: Path) -> None:
    collate = job.settings.collate.model_copy(update={"max_length": 100})
    short = job.settings.model_copy(update={"collate": collate})
    output = trained(dataclasses.replace(job, settings=short, output=str(tmp_path)), LossSettings(kwise=True))
    assert [step["pairs"] for step in read_training_log(str(output))] == [4, 2]
    assert [row["key"] for row in read_refused_pairs(str(output))] == [f"pair-wrong-{place:03}" for place in range(6)]
