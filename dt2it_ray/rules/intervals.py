"""How sure a figure is: its interval when whole prompts are drawn again, as answers to one prompt hang together."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]
"""A figure from sums over prompts: shape (..., m) in, (...) out; NaN where it is not defined."""

MOST_BAGS = 2000
"""Prompts beyond this number are drawn in bags of equal size; the interval's width is then off by about 2 %."""
DECIMALS = 6
"""Figures are rounded to this, so that the order of a float sum does not show."""
FEW_PROMPTS = "too_few_prompts"


@dataclass(frozen=True)
class Resampling:
    """How intervals are made."""

    samples: int = 1000
    level: float = 0.95
    seed: int = 0
    min_prompts: int = 10
    """Figures of fewer prompts have no interval."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval. `value` is None, and `note` says why, where the figure cannot be told."""

    value: float | None
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    """`bootstrap` or `wilson`; None without an interval."""
    n: int = 0
    """What was counted: comparisons, answers or pairs."""
    prompts: int = 0
    note: str | None = None


def estimate(parts: Floats, prompts: Codes, statistic: Statistic, how: Resampling, empty: str) -> Estimate:
    """`statistic` of the sums of `parts` (n x m), with the percentile interval over prompts drawn again.

    `prompts` says which prompt each part belongs to. Without any part the value is None with the note `empty`, and
    where the statistic is not defined with the note `no_variation`.
    """
    if not len(parts):
        return Estimate(None, note=empty)
    value, drawn, groups = _drawn_again(parts, prompts, statistic, how)
    told = Estimate(None, n=len(parts), prompts=groups, note="no_variation")
    if not np.isfinite(value):
        return told
    told = replace(told, value=round(value, DECIMALS), note=None)
    if groups < how.min_prompts:
        return replace(told, note=FEW_PROMPTS)
    low, high = np.quantile(drawn, [(1 - how.level) / 2, (1 + how.level) / 2])
    return _between(told, float(low), float(high), "bootstrap")


def p_of_zero(parts: Floats, prompts: Codes, statistic: Statistic, how: Resampling) -> float | None:
    """How well the draws of `estimate` go with a figure that is truly 0: twice the share of them on the rarer side of
    it, two-sided. One draw more is counted than there is, so that it is never 0. None where there is no interval."""
    if not len(parts):
        return None
    value, drawn, groups = _drawn_again(parts, prompts, statistic, how)
    if not np.isfinite(value) or groups < how.min_prompts:
        return None
    rarer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return round(min(1.0, 2 * (rarer + 1) / (len(drawn) + 1)), DECIMALS)


def estimate_share(hits: Floats, prompts: Codes, how: Resampling, empty: str) -> Estimate:
    """The mean of `hits` (each from 0 to 1) with its interval over prompts. Where the mean is the same for all of them,
    drawing again tells nothing, and the interval is Wilson's for as many trials as there are prompts."""
    told = estimate(np.stack([hits, np.ones(len(hits))], axis=1), prompts, _mean, how, empty)
    if told.interval is None or told.value is None or told.low != told.high:
        return told
    return _between(told, *wilson(told.value * told.prompts, told.prompts, how.level), "wilson")


def wilson(hits: float, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The score interval of a share of independent trials (Wilson 1927), which is no point even at 0 and 1."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (hits + z**2 / 2) / (trials + z**2)
    half = z * np.sqrt(hits * (trials - hits) / trials + z**2 / 4) / (trials + z**2)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _drawn_again(parts: Floats, prompts: Codes, statistic: Statistic, how: Resampling) -> tuple[float, Floats, int]:
    """The figure, its values in the samples where it is defined, and how many prompts there are."""
    groups, places = np.unique(prompts, return_inverse=True)
    bags = min(len(groups), MOST_BAGS)
    sums = np.stack([np.bincount(places % bags, column, bags) for column in parts.T], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(sums.sum(axis=0)))
        drawn = statistic(_draws(bags, how.samples, how.seed) @ sums)
    return value, drawn[np.isfinite(drawn)], len(groups)


def _mean(sums: Floats) -> Floats:
    return sums[..., 0] / sums[..., 1]


def _between(told: Estimate, low: float, high: float, interval: str) -> Estimate:
    return replace(told, low=round(low, DECIMALS), high=round(high, DECIMALS), interval=interval)


@functools.lru_cache(maxsize=4)
def _draws(bags: int, samples: int, seed: int) -> Floats:
    """How often each bag is drawn in each sample."""
    drawn = np.random.default_rng(seed).integers(bags, size=(samples, bags)) + np.arange(samples)[:, None] * bags
    return np.bincount(drawn.ravel(), minlength=samples * bags).reshape(samples, bags).astype(np.float64)
