"""Whether one model is better than another on the same pairs: the difference, its interval, and a p-value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """Two models on the same pairs; `difference` is the first one's accuracy minus the second's."""

    n: int
    difference: float
    interval: tuple[float, float]
    """Percentile bootstrap over units drawn again, both models' results together."""
    only_first: int
    """Pairs that only the first model has right."""
    only_second: int
    p_value: float
    """Of both models being equally good, two-sided."""
    test: str
    units: int
    """What was drawn again and tested: pairs, or groups of pairs."""


def compare(
    first: Floats, second: Floats, groups: Sequence[str] | None, seed: int, level: float, samples: int
) -> Comparison | None:
    """Compare credits (1 is right; ties and unscored pairs are not) of two models pair by pair; None without pairs.

    With `groups` (pairs of one question) whole groups are drawn again, and signs are flipped by group: pairs of a group
    hang together. Without, the p-value is McNemar's exact test. The order of pairs does not matter.
    """
    if not len(first):
        return None
    gains = (first == 1).astype(np.int64) - (second == 1).astype(np.int64)
    only_first, only_second = int((gains > 0).sum()), int((gains < 0).sum())
    if groups is None:
        sums = np.array([only_first - only_second])
        drawn = _multinomial(only_first, only_second, len(gains), seed, samples)
        p_value, test, units = mcnemar(only_first, only_second), "McNemar, exact", len(gains)
    else:
        names, places = np.unique(np.asarray(groups, str), return_inverse=True)
        sums = np.bincount(places, gains, len(names)).astype(np.int64)
        drawn = _over_groups(sums, np.bincount(places, minlength=len(names)), seed, samples)
        p_value, test, units = flipped_signs(sums, seed, samples), "sign flips by group", len(names)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Comparison(
        n=len(gains),
        difference=int(sums.sum()) / len(gains),
        interval=(float(low), float(high)),
        only_first=only_first,
        only_second=only_second,
        p_value=p_value,
        test=test,
        units=units,
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value that pairs on which the models differ fall to either with the same chance."""
    total = only_first + only_second
    tail = sum(math.comb(total, k) for k in range(min(only_first, only_second) + 1))
    # Whole numbers: a power of two of thousands is more than a float can hold.
    return min(1.0, 2 * tail / 2**total) if only_first != only_second else 1.0


def flipped_signs(sums: NDArray[np.int64], seed: int, samples: int) -> float:
    """Two-sided p-value that the groups' gains are as likely with the other sign; exact for up to 16 groups."""
    gains = np.sort(np.abs(sums[sums != 0]))
    seen = abs(int(sums.sum()))
    if not len(gains):
        return 1.0
    if len(gains) <= 16:
        signs = 1 - 2 * ((np.arange(2 ** len(gains))[:, None] >> np.arange(len(gains))) & 1)
        return float((np.abs(signs @ gains) >= seen).mean())
    signs = np.random.default_rng(seed).choice((-1, 1), size=(samples, len(gains)))
    return float(((np.abs(signs @ gains) >= seen).sum() + 1) / (samples + 1))


def _multinomial(first: int, second: int, pairs: int, seed: int, samples: int) -> Floats:
    """Differences of drawn sets: only the counts of the three kinds of pairs matter."""
    shares = np.array([first, second, pairs - first - second]) / pairs
    drawn = np.random.default_rng(seed).multinomial(pairs, shares, size=samples)
    return (drawn[:, 0] - drawn[:, 1]) / pairs


def _over_groups(sums: NDArray[np.int64], sizes: NDArray[np.int64], seed: int, samples: int) -> Floats:
    order = np.lexsort((sizes, sums))
    drawn = np.random.default_rng(seed).integers(len(sums), size=(samples, len(sums)))
    return sums[order][drawn].sum(axis=1) / sizes[order][drawn].sum(axis=1)
