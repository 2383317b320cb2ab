"""Which places of two lists have equal keys, found for a million keys without comparing every two."""

from collections.abc import Iterator

import numpy as np

PAIRS_AT_ONCE = 1 << 18
"""How many pairs are in memory at a time; comparing what they stand for takes some 600 bytes of each."""

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


class Groups:
    """Places that are joined with each other, directly or through others; each knows the lowest of its group."""

    def __init__(self, count: int) -> None:
        self.lowest = np.arange(count)

    def are_apart(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Which of these pairs of places are not in one group yet."""
        return self.lowest[left] != self.lowest[right]

    def join(self, left: np.ndarray, right: np.ndarray) -> None:
        """Put the places of every pair into one group."""
        if not len(left):
            return
        first, second = self.lowest[left], self.lowest[right]
        lowest = np.arange(len(self.lowest))
        while True:
            before = lowest.copy()
            least = np.minimum(lowest[first], lowest[second])
            np.minimum.at(lowest, first, least)
            np.minimum.at(lowest, second, least)
            lowest = lowest[lowest]
            if np.array_equal(lowest, before):
                break
        self.lowest = lowest[self.lowest]
