"""Which pairs make a group, the order in which groups are seen, and what is counted of them."""

import math

import pyarrow as pa
import pytest
import torch

from dt2it_ray.data.schema import PROMPTS
from dt2it_ray.models.loss import losses
from dt2it_ray.models.loss_settings import LossSettings
from dt2it_ray.models.train_figures import by_group, figures, means_of
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_rows import PROMPT_COLUMNS, TrainingRows

NAMES = [f"pair-{place}" for place in range(10)]
TEXTS = {"a": "A", "bb": "BB", "ccc": "CCC", "dddd": "DDDD"}
RANKED = [("1", "p", "a", "bb"), ("2", "p", "bb", "ccc"), ("3", "p", "a", "ccc"), ("4", "q", "a", "bb")]
"""The third pair has the prompt and the chosen answer of the first, the fourth has another prompt."""


def groups_of(pairs: list[tuple[str, str, str, str]], kwise: bool = True, weights: list[float] | None = None):
    columns = zip(*pairs, strict=True)
    table = pa.table(dict(zip(("pair_id", "prompt_id", "chosen_id", "rejected_id"), map(list, columns), strict=True)))
    if weights:
        table = table.append_column("weight", pa.array(weights))
    rows = [{"prompt_id": name, "images": [], "history": None, "question": "Is it?"} for name in ("p", "q")]
    prompts = pa.Table.from_pylist(rows, schema=pa.schema([PROMPTS.field(name) for name in PROMPT_COLUMNS]))
    answers = pa.table({"answer_id": list(TEXTS), "text": list(TEXTS.values())})
    return TrainingGroups(TrainingRows(table, prompts, answers), kwise)


def order_of(names: list[str], seed: int = 0, epoch: int = 0) -> list[str]:
    groups = groups_of([(name, "p", "a", "bb") for name in names], kwise=False)
    return groups.pair_ids(groups.order(seed, epoch))


def test_pairs_of_one_prompt_and_one_chosen_answer_are_a_group() -> None:
    groups = groups_of(RANKED, weights=[1.0, 5.0, 2.0, 4.0])
    assert [[pair.pair_id for pair in groups.pairs(index)] for index in range(len(groups))] == [
        ["1", "3"],
        ["2"],
        ["4"],
    ]
    assert groups.pair_ids([0, 2]) == ["1", "3", "4"]
    assert groups.weights.tolist() == [1.5, 5.0, 4.0]
    prompt = len("Is it?")
    assert groups.lengths().tolist() == [prompt + 1 + 2 + 3, prompt + 2 + 3, prompt + 1 + 2]


def test_without_kwise_every_pair_is_its_own_group() -> None:
    groups = groups_of(RANKED, kwise=False, weights=[1.0, 5.0, 2.0, 4.0])
    assert [groups.pairs(index)[0].pair_id for index in range(len(groups))] == ["1", "2", "3", "4"]
    assert groups.weights.tolist() == [1.0, 5.0, 2.0, 4.0]


@pytest.mark.parametrize("kwise", [False, True])
def test_the_order_of_groups_does_not_depend_on_the_order_of_the_table(kwise: bool) -> None:
    one, other = groups_of(RANKED, kwise), groups_of(RANKED[::-1], kwise)
    for epoch in range(3):
        seen = [[sorted(groups.pair_ids([index])) for index in groups.order(7, epoch)] for groups in (one, other)]
        assert seen[0] == seen[1]


def test_every_epoch_is_another_shuffle_that_does_not_depend_on_the_order_of_the_table() -> None:
    epochs = [order_of(NAMES, epoch=epoch) for epoch in range(3)]
    assert all(sorted(epoch) == NAMES for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert order_of(NAMES[::-1], epoch=1) == epochs[1]
    assert order_of(NAMES, seed=1, epoch=1) != epochs[1]


def test_figures_of_groups_are_of_their_pairs_and_name_the_broken_ones() -> None:
    rewards = by_group(torch.tensor([1.0, 0.0, 3.0, 2.0, math.nan, 0.0, 0.0]), [3, 2, 2])
    assert rewards[1:, 2].tolist() == [-math.inf] * 2
    bad: list[str] = []
    costs = losses(rewards, torch.full((3,), math.nan), LossSettings(kwise=True))
    sums = figures(rewards, (), costs, [["x", "y"], ["z"]], bad)
    assert bad == ["z"]
    assert (sums["pairs"], sums["broken"], sums["accuracy"]) == (3, 1, 1)
    sums = figures(rewards[:1], (), losses(rewards[:1], torch.tensor([math.nan]), LossSettings()), [["x", "y"]], bad)
    means = means_of({"loss": 3.0, **sums}, weight=4.0)
    assert means == {"loss": 0.75, "accuracy": 0.5, "margin": -0.5, "chosen_reward": 1.0, "rejected_reward": 1.5}


def test_a_batch_without_pairs_counts_nothing() -> None:
    costs = losses(torch.zeros(1, 2), torch.tensor([math.nan]), LossSettings())
    assert set(figures(torch.zeros(1, 2), (), costs, [], []).values()) == {0.0}
