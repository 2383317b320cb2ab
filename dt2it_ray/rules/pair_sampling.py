"""How pairs are drawn: at most so many per prompt, as many of each strength, as many with a longer chosen answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.ids import unit_interval


@dataclass(frozen=True)
class StrengthBin:
    """Pairs with a strength from `low` (with it) to `high` (without it, but for the last bin), and how many stay."""

    low: float
    high: float
    pairs: int
    kept: int


def at_most(pairs: pa.Table, max_pairs: int) -> pa.Table:
    """The first `max_pairs` pairs of each prompt by pair id, which is a content hash; sorted by id."""
    pairs = pairs.sort_by([("prompt_id", "ascending"), ("pair_id", "ascending")])
    prompts = _codes(pairs["prompt_id"])
    pairs = pairs.filter(pa.array(np.arange(len(prompts)) - np.searchsorted(prompts, prompts) < max_pairs))
    return pairs.sort_by("pair_id")


def evenly_by_strength(
    pairs: pa.Table, edges: Sequence[float], quantiles: int, per_bin: int
) -> tuple[pa.Table, list[StrengthBin]]:
    """As many pairs of each bin of strengths, drawn by a hash of the pair id; and the bins.

    Bins are parted at `edges`, or, without any, at the quantiles of all strengths (equal strengths fall into one bin,
    so there may be fewer). Each gives `per_bin` pairs, or all that it has; with `per_bin` 0 as many as the smallest
    that is not empty.
    """
    strength = pairs["strength"].to_numpy()
    if not len(strength):
        return pairs, []
    inner = np.asarray(edges, float) if edges else _quantiles(strength, quantiles)
    bins = np.searchsorted(inner, strength, side="right")
    sizes = np.bincount(bins, minlength=len(inner) + 1)
    kept = _first_by_hash(pairs, bins, np.full(len(sizes), per_bin or sizes[sizes > 0].min()), "strength")
    left = np.bincount(bins[kept], minlength=len(sizes))
    bounds = [min(0.0, strength.min()), *inner.tolist(), max(strength.max(), inner.max(initial=0.0))]
    told = [
        StrengthBin(float(bounds[place]), float(bounds[place + 1]), int(sizes[place]), int(left[place]))
        for place in range(len(sizes))
    ]
    return pairs.filter(pa.array(kept)), told


def length_matched(pairs: pa.Table, chosen: np.ndarray, rejected: np.ndarray, strata: int) -> np.ndarray:
    """Which pairs stay so that the chosen answer is longer exactly as often as shorter.

    `chosen` and `rejected` are the lengths of the answers. Pairs of answers of one length stay. The others are parted
    by source and by the `strata` quantiles of the difference in length, sides aside; of each part as many with a longer
    as with a shorter chosen answer stay: the side with more loses the surplus, drawn by a hash of the pair id.
    """
    excess = chosen - rejected
    differs = excess != 0
    size = np.abs(excess)
    part = _codes(pairs["source"]) * strata + np.searchsorted(_quantiles(size[differs], strata), size, side="right")
    parts = int(part.max(initial=0)) + 1
    longer, shorter = (np.bincount(part[mask], minlength=parts) for mask in (excess > 0, excess < 0))
    side = np.where(differs, 2 * part + (excess > 0), 2 * parts)
    room = np.append(np.repeat(np.minimum(longer, shorter), 2), len(pairs))
    return _first_by_hash(pairs, side, room, "length")


def _quantiles(values: np.ndarray, parts: int) -> np.ndarray:
    """The bounds between that many parts, less where equal values would leave one empty."""
    if not len(values):
        return np.zeros(0)
    bounds = np.unique(np.quantile(values, np.linspace(0, 1, parts + 1)[1:-1]))
    return bounds[bounds > values.min()]


def _first_by_hash(pairs: pa.Table, group: np.ndarray, room: np.ndarray, purpose: str) -> np.ndarray:
    """Which pairs are among the first `room[group]` of their group, in the order of a hash of the pair id."""
    names = pairs["pair_id"].to_pylist()
    drawn = np.array([unit_interval(purpose, name) for name in names])
    order = np.lexsort((names, drawn, group))
    placed = group[order]
    kept = np.zeros(len(names), dtype=bool)
    kept[order] = np.arange(len(names)) - np.searchsorted(placed, placed) < room[placed]
    return kept


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    if not len(column):
        return np.zeros(0, int)
    return pc.dictionary_encode(column).combine_chunks().indices.to_numpy()
