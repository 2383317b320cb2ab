"""How right a model is by how much the two answers differ in length, and by how strong people's preference is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dt2it_ray.rules.metrics import measure

Floats = NDArray[np.float64]
LENGTH_EDGES = (30, 100, 300, 1000)
"""In characters between the two answers: the most that a bin holds. The same for every benchmark, so that models and
benchmarks can be compared."""
STRENGTH_BINS = 4


def by_length_difference(credits: Floats, lengths: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Accuracy by which answer is longer and by how many characters, from chosen answers that are much shorter to much
    longer ones. Pairs of equal length are a bin of their own; empty bins are left out.

    `lengths` is [n, 2], chosen then rejected, in characters. Swapped sides fall into mirrored bins.
    """
    difference = lengths[:, 0] - lengths[:, 1]
    edges = np.array(LENGTH_EDGES)
    places = np.sign(difference) * (np.searchsorted(edges, np.abs(difference), side="left") + 1)
    told = []
    for place in sorted(set(places.tolist())):
        here = credits[places == place]
        told.append({"chosen": _side(place), **_range(abs(place) - 1, edges), **_counts(here)})
    return told


def by_strength(credits: Floats, strengths: Sequence[float | None]) -> list[dict[str, Any]]:
    """Accuracy in up to four equally large bins of how much better people found the chosen answer; rows that do not say
    are left out. Equal strengths are never split."""
    known = np.array([value is not None for value in strengths], bool)
    values = np.array([abs(value) for value in strengths if value is not None], np.float64)
    if not len(values):
        return []
    cuts = np.unique(np.quantile(values, np.arange(1, STRENGTH_BINS) / STRENGTH_BINS, method="lower"))
    places = np.searchsorted(cuts, values, side="left")
    credits = credits[known]
    return [
        {"least": float(values[places == k].min()), "most": float(values[places == k].max())}
        | _counts(credits[places == k])
        for k in np.unique(places).tolist()
    ]


def _side(place: int) -> str:
    return "equal" if place == 0 else "longer" if place > 0 else "shorter"


def _range(size: int, edges: NDArray[np.int64]) -> dict[str, int | None]:
    """By how many characters at least and at most; no bound for the widest bin."""
    if size < 0:
        return {"least": 0, "most": 0}
    least = int(edges[size - 1]) + 1 if size else 1
    return {"least": least, "most": int(edges[size]) if size < len(edges) else None}


def _counts(credits: Floats) -> dict[str, Any]:
    counts = measure(credits)
    return {"n": counts.pairs, "correct": counts.right, "accuracy": counts.accuracy}
