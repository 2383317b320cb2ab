"""What is counted of an optimizer step: sums over micro-batches and workers, and the means that the log tells."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.distributed
from torch import nn

from dt2it_ray.models.flops import WORK
from dt2it_ray.models.loss import Losses

WITH_PROXY = "right_with_proxy"
"""Sum of the pairs that the model and its proxy both have right."""
COUNTS = ("pairs", "broken", "tokens", WITH_PROXY, *WORK)
"""Sums that are told or checked as they are. Of the others, those named `loss...` are of weighted pairs and become
means over the weights of the global batch, as in the loss; the rest become means over the pairs used."""


def by_group(rewards: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """[G, K] rewards of groups from the [N] of their answers; smaller groups end with -inf."""
    if len(set(sizes)) == 1:
        return rewards.view(len(sizes), sizes[0])
    return nn.utils.rnn.pad_sequence(list(rewards.split(list(sizes))), True, -torch.inf)


def figures(
    rewards: torch.Tensor, proxy: Sequence[torch.Tensor], costs: Losses, names: Sequence[Sequence[str]], bad: list[str]
) -> dict[str, float]:
    """Sums over all pairs of a chosen with a rejected answer. Names of those with figures not finite go to `bad`.

    `rewards` is [B, K], see `losses`; `proxy` is empty or has one such tensor, from text alone. `names` are those of
    each group's pairs; groups after the last named one do not count.
    """
    sizes = torch.tensor([len(group) for group in names], dtype=torch.long)[:, None]
    there = torch.arange(rewards.shape[1] - 1)[None] < sizes

    def of_pairs(figure: torch.Tensor) -> torch.Tensor:
        """What is [B] or [B, K - 1] for groups as a list for their pairs."""
        figure = figure.detach().double().cpu()[: len(names)]
        return (figure if figure.ndim > 1 else figure[:, None].expand_as(there))[there]

    chosen, others = of_pairs(rewards[:, 0]), of_pairs(rewards[:, 1:])
    margins = chosen - others
    counted = {"accuracy": margins > 0, "margin": margins, "chosen_reward": chosen, "rejected_reward": others}
    if proxy and costs.focus is not None:
        counted["shortcut_failure"] = of_pairs(costs.focus)
        counted["proxy_accuracy"] = of_pairs(proxy[0][:, :1] > proxy[0][:, 1:])
        counted[WITH_PROXY] = counted["proxy_accuracy"] * (margins > 0)
    broken = ~(torch.isfinite(margins) & torch.isfinite(of_pairs(costs.total)))
    flat = [name for group in names for name in group]
    bad += [name for name, wrong in zip(flat, broken.tolist(), strict=True) if wrong]
    sums = {name: float(each.sum()) for name, each in counted.items()}
    return {**sums, "pairs": len(flat), "broken": float(broken.sum())}


def errors(rewards: torch.Tensor, sizes: Sequence[int]) -> list[float]:
    """For each of the first groups the mean over its pairs (`sizes` says how many) of 1 - sigmoid(margin)."""
    margins = (rewards[:, :1] - rewards[:, 1:]).detach().double().cpu()
    wrong = torch.sigmoid(-margins)
    return [float(row[:size].mean()) for row, size in zip(wrong, sizes, strict=False)]


def means_of(sums: Mapping[str, float], weight: float) -> dict[str, float]:
    """The figures of a step from the sums of all its pairs, whose weights (refused pairs too) sum to `weight`."""
    used = max(sums["pairs"], 1)
    means = {
        name: value / (max(weight, 1e-12) if name.startswith("loss") else used)
        for name, value in sums.items()
        if name not in COUNTS
    }
    return means | _degradation(sums)


def _degradation(sums: Mapping[str, float]) -> dict[str, float]:
    """The Shortcut-Failure Degradation (arXiv 2503.03122): the model's accuracy where its proxy, which sees no image,
    is right, less that where it is wrong. Left out where it is nowhere right or nowhere wrong."""
    right = sums.get("proxy_accuracy", 0.0)
    wrong = sums["pairs"] - right
    if not right or not wrong:
        return {}
    both = sums[WITH_PROXY]
    return {"shortcut_degradation": both / right - (sums["accuracy"] - both) / wrong}


def add(sums: dict[str, float], more: Mapping[str, float]) -> None:
    """Add up by name."""
    for name, value in more.items():
        sums[name] = sums.get(name, 0.0) + value


def from_workers(own: Sequence[Any]) -> list[Any]:
    """What all workers have, in their order."""
    everyone: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, list(own))
    return [each for part in everyone for each in part]


def over_workers(sums: Mapping[str, float]) -> dict[str, float]:
    """Sums over all workers, which have the same names in the same order."""
    values = torch.tensor(list(sums.values()), dtype=torch.float64)
    torch.distributed.all_reduce(values)
    return dict(zip(sums, values.tolist(), strict=True))


def most_over_workers(number: int) -> int:
    """The largest of the workers' numbers."""
    most = torch.tensor(number)
    torch.distributed.all_reduce(most, op=torch.distributed.ReduceOp.MAX)
    return int(most)
