"""What training minimises: the terms of a pair's loss and their sum, pair by pair and in float32 at least."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from dt2it_ray.models.loss_settings import LossSettings

EPSILON = 1e-8
"""Keeps the Shortcut-Failure Coefficient of a pair without any loss at 0 (arXiv 2503.03122)."""


@dataclass(frozen=True)
class Losses:
    """Of B pairs or groups: what is minimised, and what it is made of.

    Sum weight * total and divide by the sum of the global batch's weights for the mean: micro-batches then add up to
    it, whatever their size.
    """

    total: torch.Tensor
    """[B]."""
    terms: dict[str, torch.Tensor]
    """[B] each, detached, as they enter the total, by name. The names depend on the settings only; empty where the
    total is the preference alone."""
    focus: torch.Tensor | None = None
    """[B] Shortcut-Failure Coefficients before any normalising; None without a proxy."""


def losses(
    rewards: torch.Tensor,
    strengths: torch.Tensor,
    settings: LossSettings,
    proxy: torch.Tensor | None = None,
    usual_focus: float | torch.Tensor = 1.0,
    others: torch.Tensor | None = None,
    critiques: torch.Tensor | None = None,
) -> Losses:
    """The losses of pairs, or of groups of K answers.

    `rewards` is [B, K], the chosen answer first, in pairs K = 2, in groups -inf after the last of fewer answers;
    `strengths` [B], NaN where not measured; `proxy` are such rewards from text alone, whose coefficients are divided by
    `usual_focus`; `others` [B, M] are rewards of the chosen answer beside other images, -inf where there are fewer;
    `critiques` [B, K] is what the critiques of the answers cost, 0 after the last of fewer answers.
    """
    rewards = rewards.to(torch.promote_types(rewards.dtype, torch.float32))
    total, focus = _by_labels(rewards, strengths, settings), None
    shortcut = {}
    if proxy is not None:
        proxy = proxy.to(rewards.dtype)
        shortcut["proxy"] = _by_labels(proxy, strengths, settings)
        focus = shortcut_failure(total, shortcut["proxy"])
        total = total * (focus / usual_focus)
    if settings.scaling_boost:
        total = total * reward_scaling(rewards[:, 0] - rewards[:, 1], settings.scaling_boost, settings.scaling_rate)
    terms = {"preference": total, **shortcut}
    if settings.centring:
        terms["centring"] = settings.centring * rewards.sum(dim=1).square()
    if others is not None:
        beside = torch.cat([rewards[:, :1], others.to(rewards.dtype)], dim=1)
        terms["contrastive"] = settings.contrastive.weight * top_one(beside)
    if critiques is not None:
        answers = torch.isfinite(rewards.detach()).sum(dim=1).clamp(min=1)
        terms["critique"] = settings.critique.weight * critiques.to(rewards.dtype).sum(dim=1) / answers
    named = {name: term.detach() for name, term in terms.items()} if len(terms) > 1 else {}
    return Losses(sum(terms.values(), start=torch.zeros_like(total)), named, focus)


def top_one(rewards: torch.Tensor) -> torch.Tensor:
    """[B] -log of the softmax of the first of K rewards: that it is the best of them (arXiv 2301.11270)."""
    return rewards.logsumexp(dim=1) - rewards[:, 0]


def preference(margins: torch.Tensor, strengths: torch.Tensor, settings: LossSettings) -> torch.Tensor:
    """[B] what a margin chosen - rejected costs by the pair's label: margin, soft label, smoothing and ties as set."""
    unmeasured = strengths.isnan()
    known = strengths.masked_fill(unmeasured, 0.0).to(margins.dtype)
    asked = margins - settings.margin_scale * known if settings.margin_scale else margins
    costs = cross_entropy(asked, _labels(known, unmeasured, settings))
    if settings.tie_weight:
        costs = torch.where((known == 0) & ~unmeasured, settings.tie_weight * margins.square(), costs)
    return costs


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    """[B] of the probability sigmoid(logit) to a label between 0 and 1; without labels all are 1 (Bradley-Terry)."""
    certain = -functional.logsigmoid(logits)
    # softplus(-x) + (1 - p) x = -p log sigmoid(x) - (1 - p) log sigmoid(-x), without a second logarithm.
    return certain if labels is None else certain + (1 - labels) * logits


def reward_scaling(margins: torch.Tensor, boost: float, rate: float) -> torch.Tensor:
    """[B] weights that rise with the margin (arXiv 2502.10391, section 4): 1 at a margin of 0 or less, at most
    1 + boost. No gradient goes through them."""
    return 1 + boost * -torch.expm1(-rate * margins.detach().clamp(min=0))


def shortcut_failure(costs: torch.Tensor, proxy_costs: torch.Tensor) -> torch.Tensor:
    """[B] weights: near 0 where text alone decides the pair and near 1 where it misleads (arXiv 2503.03122, section 4).

    No gradient goes through them.
    """
    costs, proxy_costs = costs.detach(), proxy_costs.detach()
    return proxy_costs / (costs + proxy_costs + EPSILON)


def _by_labels(rewards: torch.Tensor, strengths: torch.Tensor, settings: LossSettings) -> torch.Tensor:
    """[B] what the labels alone make of rewards."""
    if settings.kwise:
        return top_one(rewards)
    return preference(rewards[:, 0] - rewards[:, 1], strengths, settings)


def _labels(known: torch.Tensor, unmeasured: torch.Tensor, settings: LossSettings) -> torch.Tensor | None:
    """[B] probabilities that the chosen answer is the better one; None where all are 1."""
    if settings.soft_temperature is None and not settings.label_smoothing:
        return None
    labels = torch.ones_like(known)
    if settings.soft_temperature is not None:
        labels = torch.where(unmeasured, labels, torch.sigmoid(known / settings.soft_temperature))
    return labels * (1 - 2 * settings.label_smoothing) + settings.label_smoothing
