"""A training whose passes are bounded by tokens: it takes the steps of one bounded by pairs, and no pass is larger."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dt2it_ray.models.collate import open_encoder
from dt2it_ray.models.evaluation_settings import EvaluationSettings
from dt2it_ray.models.held_out import held_out
from dt2it_ray.models.loss_settings import ContrastiveSettings, CritiqueSettings, LossSettings, ShortcutSettings
from dt2it_ray.models.reward_settings import ModelSettings
from dt2it_ray.models.sampler_settings import SamplerSettings
from dt2it_ray.models.schedule import new_schedule
from dt2it_ray.models.token_budget import Size, fill_passes
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_job import TrainJob
from dt2it_ray.models.train_log import read_refused_pairs, read_training_log
from dt2it_ray.models.train_loop import train
from dt2it_ray.models.train_micro import Micro
from dt2it_ray.models.train_pass import Pass, Passes
from dt2it_ray.models.train_rows import open_training_rows
from tests.models.gang import train_together
from tests.models.random_model import write_toy_pairs
from tests.models.test_train_loop import WEIGHTS, Interrupted, LocalSession

pytestmark = pytest.mark.usefixtures("process_group")
BUDGET = 480
"""Four short pairs have less, a long one more."""
EVALUATION = EvaluationSettings(held_out=0.2, every_steps=2)
VARIANTS: dict[str, dict[str, Any]] = {
    "padded": {"model": ModelSettings(shared_prompt=False)},
    "terms": {"loss": LossSettings(centring=0.01, contrastive=ContrastiveSettings(weight=1.0, images=1))},
    "shortcut": {"loss": LossSettings(kwise=True, shortcut=ShortcutSettings(enabled=True))},
    "critiques": {"loss": LossSettings(critique=CritiqueSettings(enabled=True, weight=0.5))},
    "drawn": {"sampler": SamplerSettings(kind="hard", every_steps=2, measure="all"), "epochs": 2},
}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    """Pairs of 12 prompts, of which every fourth is five times as long as the others."""
    folder = tmp_path_factory.mktemp("train")
    job = write_toy_pairs(folder, num_prompts=12)
    rows = pq.read_table(folder / "r").to_pylist()
    for number, row in enumerate(rows):
        row["question"] *= 40 if number % 4 == 0 else 1 + number % 2
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(folder / "r")), folder / "r")
    for part in (0, 1):
        pairs = pq.read_table(folder / f"pairs-{part}").append_column("weight", pa.array([1.0, 2.0, 0.5] * 4))
        for side in ("chosen", "rejected"):
            pairs = pairs.append_column(f"{side}_critique", pa.array([f"it is {side}"] * 12))
        pq.write_table(pairs, folder / f"pairs-{part}")
    update = {"global_batch_pairs": 7, "learning_rate": 3e-4, "evaluation": EVALUATION}
    settings = job.settings.model_copy(update=update)
    return dataclasses.replace(job, settings=settings, micro_batch_pairs=2)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[list[Size]]:
    """The sizes of the groups of every pass that is taken, those of padding left out."""
    taken, run = [], Passes.run

    def recorded(self: Passes, micro: Micro) -> Pass:
        taken.append(micro.sizes())
        return run(self, micro)

    monkeypatch.setattr(Passes, "run", recorded)
    return taken


def changed(job: TrainJob, output: Path, tokens: int | None = None, **settings: Any) -> TrainJob:
    chosen = job.settings.model_copy(update=settings)
    return dataclasses.replace(job, settings=chosen, output=str(output), micro_batch_tokens=tokens)


def trained(job: TrainJob) -> Path:
    train(job, LocalSession(Path(job.output, "state")))
    return Path(job.output)


def passes_of_workers(job: TrainJob, workers: int) -> list[list[int]]:
    """How many passes each worker needs for its own pairs, by step."""
    rows = open_training_rows(job.pairs_paths, job.rows_paths)
    apart = held_out(rows, (), job.settings.evaluation, job.settings.seed)
    assert apart is not None
    groups = TrainingGroups(rows.subset(~apart), kwise=False)
    forward = Passes(None, open_encoder(job.base, job.settings.collate), groups, job.settings)
    schedule = new_schedule(job, len(groups), workers, padded=False)
    needed = []
    for step in range(schedule.steps):
        batch = schedule.batch(groups.order(job.settings.seed, 0), step)
        shares = [schedule.share(batch, groups.lengths(), rank)[0] for rank in range(workers)]
        needed.append([len(fill_passes(forward.encode(share).sizes(), BUDGET, padded=False)) for share in shares])
    return needed


def assert_alike(first: Path, second: Path) -> None:
    from safetensors.torch import load_file

    expected, found = load_file(first / WEIGHTS), load_file(second / WEIGHTS)
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-4, atol=2e-5)
    logs = [read_training_log(str(folder)) for folder in (first, second)]
    for one, other in zip(*logs, strict=True):
        figures = [name for name in one if not name.endswith("_per_s") and name not in ("workers", "passes")]
        assert [other[name] for name in figures] == pytest.approx([one[name] for name in figures], rel=1e-3, abs=1e-4)


def test_passes_within_a_budget_take_the_same_steps(job: TrainJob, tmp_path: Path, passes: list[list[Size]]) -> None:
    by_pairs = trained(changed(job, tmp_path / "pairs"))
    assert any(len(taken) > 1 and sum(size.tokens for size in taken) > BUDGET for taken in passes)
    passes.clear()
    by_tokens = trained(changed(job, tmp_path / "tokens", BUDGET))
    assert_alike(by_pairs, by_tokens)
    assert all(len(taken) == 1 or sum(size.tokens for size in taken) <= BUDGET for taken in passes)
    assert max(len(taken) for taken in passes) > job.micro_batch_pairs
    steps = read_training_log(str(by_tokens))
    longest = max(size.tokens for taken in passes for size in taken)
    assert all(step["tokens"] / longest <= step["passes"] <= step["pairs"] for step in steps)
    assert sum(step["passes"] for step in steps) < sum(step["pairs"] for step in steps)
    assert "passes" not in read_training_log(str(by_pairs))[0]


@pytest.mark.parametrize("name", VARIANTS)
def test_all_kinds_of_training_take_the_same_steps(
    job: TrainJob, tmp_path: Path, name: str, passes: list[list[Size]]
) -> None:
    by_pairs = trained(changed(job, tmp_path / "pairs", **VARIANTS[name]))
    passes.clear()
    by_tokens = trained(changed(job, tmp_path / "tokens", BUDGET, **VARIANTS[name]))
    assert_alike(by_pairs, by_tokens)
    several = [taken for taken in passes if len(taken) > 1]
    assert several
    for taken in several:
        padded = sum(size.rows for size in taken) * max(size.longest for size in taken)
        assert (padded if name == "padded" else sum(size.tokens for size in taken)) <= BUDGET


def test_a_budget_below_every_pair_takes_one_at_a_time(job: TrainJob, tmp_path: Path, passes: list[list[Size]]) -> None:
    one_by_one = trained(changed(job, tmp_path / "tokens", tokens=1))
    assert {len(taken) for taken in passes} == {1}
    steps = read_training_log(str(one_by_one))
    assert [step["passes"] for step in steps] == [step["pairs"] for step in steps]
    assert_alike(trained(changed(job, tmp_path / "pairs")), one_by_one)


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_workers_with_unequal_shares_take_as_many_passes_and_learn_what_one_does(
    job: TrainJob, tmp_path: Path, stage: int
) -> None:
    two = changed(job, tmp_path / "two", BUDGET, zero_stage=stage)
    needed = passes_of_workers(two, workers=2)
    assert any(one != other for one, other in needed)
    assert train_together(two, tmp_path / "s2", workers=2)
    assert_alike(trained(changed(job, tmp_path / "one")), tmp_path / "two")
    assert [step["passes"] for step in read_training_log(two.output)] == [max(step) for step in needed]


@pytest.mark.parametrize(("stage", "offload"), [(1, "optimizer"), (2, "optimizer"), (3, "weights")])
def test_passes_add_up_in_the_machines_memory_too(
    job: TrainJob, tmp_path: Path, stage: int, offload: Literal["optimizer", "weights"]
) -> None:
    left = dataclasses.replace(changed(job, tmp_path / "left", BUDGET, zero_stage=stage), offload=offload)
    assert_alike(trained(changed(job, tmp_path / "plain")), trained(left))


def test_a_training_that_is_killed_inside_an_epoch_ends_with_the_same_bytes(job: TrainJob, tmp_path: Path) -> None:
    whole = trained(changed(job, tmp_path / "whole", BUDGET))
    killed = dataclasses.replace(changed(job, tmp_path / "killed", BUDGET), checkpoint_every_steps=1)
    with pytest.raises(Interrupted):
        train(killed, LocalSession(tmp_path / "state", checkpoints_to_live=2))
    train(killed, LocalSession(tmp_path / "state"))
    assert (tmp_path / "killed" / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


def test_refused_pairs_leave_the_others_in_their_steps(job: TrainJob, tmp_path: Path) -> None:
    collate = job.settings.collate.model_copy(update={"max_length": 300})
    by_pairs = trained(changed(job, tmp_path / "pairs", collate=collate))
    by_tokens = trained(changed(job, tmp_path / "tokens", BUDGET, collate=collate))
    assert_alike(by_pairs, by_tokens)
    refused = [read_refused_pairs(str(folder)) for folder in (by_pairs, by_tokens)]
    assert refused[0] == refused[1]
    assert {row["key"][-3:] for row in refused[1]} == {"000", "004", "008"}


def test_a_step_of_which_all_pairs_are_refused_changes_no_weight(job: TrainJob, tmp_path: Path) -> None:
    collate = job.settings.collate.model_copy(update={"max_length": 10})
    folder = trained(changed(job, tmp_path, BUDGET, collate=collate, weight_decay=0.0))
    steps = read_training_log(str(folder))
    assert {(step["pairs"], step["passes"], step["loss"], step["grad_norm"]) for step in steps} == {(0, 1, 0.0, 0.0)}
    assert np.isfinite(steps[-1]["eval_loss"])
