"""What is counted of an optimizer step: sums over micro-batches and workers, and the means that the log tells."""

from collections.abc import Mapping, Sequence

import torch
import torch.distributed

from dt2it_ray.models.loss import Losses

COUNTS = ("pairs", "broken", "tokens")
"""Sums that are told or checked as they are. Of the others, those named `loss...` are of weighted pairs and become
means over the weights of the global batch, as in the loss; the rest become means over the pairs used."""


def figures(
    rewards: torch.Tensor, proxy: Sequence[torch.Tensor], costs: Losses, names: Sequence[str], suspects: list[str]
) -> dict[str, float]:
    """Sums over the named pairs, the first of a batch. Names of pairs with figures not finite go to the suspects.

    `rewards` is [B, 2]; `proxy` is empty or has one such tensor, from text alone.
    """
    used = len(names)
    chosen, rejected = rewards.detach().double().cpu()[:used].unbind(dim=1)
    margins = chosen - rejected
    counted = {"accuracy": margins > 0, "margin": margins, "chosen_reward": chosen, "rejected_reward": rejected}
    if proxy and costs.focus is not None:
        counted["shortcut_failure"] = costs.focus.cpu()[:used]
        counted["proxy_accuracy"] = (proxy[0].detach()[:, 0] > proxy[0].detach()[:, 1]).cpu()[:used]
    broken = ~(torch.isfinite(margins) & torch.isfinite(costs.total.detach().cpu()[:used]))
    suspects += [name for name, bad in zip(names, broken.tolist(), strict=True) if bad]
    return {**{name: float(each.sum()) for name, each in counted.items()}, "pairs": used, "broken": float(broken.sum())}


def means_of(sums: Mapping[str, float], weight: float) -> dict[str, float]:
    """The figures of a step from the sums of all its pairs, whose weights (refused pairs too) sum to `weight`."""
    used = max(sums["pairs"], 1)
    return {
        name: value / (max(weight, 1e-12) if name.startswith("loss") else used)
        for name, value in sums.items()
        if name not in COUNTS
    }


def add(sums: dict[str, float], more: Mapping[str, float]) -> None:
    """Add up by name."""
    for name, value in more.items():
        sums[name] = sums.get(name, 0.0) + value


def over_workers(sums: Mapping[str, float]) -> dict[str, float]:
    """Sums over all workers, which have the same names in the same order."""
    values = torch.tensor(list(sums.values()), dtype=torch.float64)
    torch.distributed.all_reduce(values)
    return dict(zip(sums, values.tolist(), strict=True))
