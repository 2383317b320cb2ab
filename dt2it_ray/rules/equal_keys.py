"""Which places of two lists have equal keys, found for a million keys without comparing every two."""

from collections.abc import Iterator

import numpy as np

PAIRS_AT_ONCE = 1 << 22
"""How many pairs are in memory at a time: 64 MiB of places."""

Places = tuple[np.ndarray, np.ndarray]


def pairs_of_equal(left: np.ndarray, right: np.ndarray, most: int | None = None) -> Iterator[Places]:
    """Places in `left` and `right` whose keys are equal, some at a time.

    Where more than `most` places of `right` have one key, only the first `most` of them are paired.
    """
    order = np.argsort(right, kind="stable")
    ranked = right[order]
    begins, ends = np.searchsorted(ranked, left, "left"), np.searchsorted(ranked, left, "right")
    counts = ends - begins if most is None else np.minimum(ends - begins, most)
    totals = np.cumsum(counts)
    start = 0
    while start < len(left):
        before = totals[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(totals, before + PAIRS_AT_ONCE, "right")))
        chosen = counts[start:stop]
        lefts = np.repeat(np.arange(start, stop), chosen)
        within = np.arange(len(lefts)) - np.repeat(np.cumsum(chosen) - chosen, chosen)
        yield lefts, order[np.repeat(begins[start:stop], chosen) + within]
        start = stop


def join_groups(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """For each of `count` places the lowest place that it is joined with, directly or through others."""
    lowest = np.arange(count)
    while True:
        before = lowest.copy()
        least = np.minimum(lowest[left], lowest[right])
        np.minimum.at(lowest, left, least)
        np.minimum.at(lowest, right, least)
        lowest = lowest[lowest]
        if np.array_equal(lowest, before):
            return lowest
