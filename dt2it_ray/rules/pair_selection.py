"""Which agreed pairs are kept: every one that is not is counted by the rule that took it out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.pair_sampling import at_most, evenly_by_strength, length_matched


@dataclass(frozen=True)
class PairChoice:
    """What is asked of a pair; by default nothing is."""

    without_duplicates: bool = False
    min_strength: float = 0
    longest_ratio: float | None = None
    longest_excess: int | None = None
    max_pairs: int = 0
    bins: int = 0
    edges: tuple[float, ...] = ()
    per_bin: int = 0
    length_strata: int = 0


@dataclass(frozen=True)
class Selection:
    """Pairs sorted by `pair_id`, how many each rule took out, and the strength bins if there are any."""

    pairs: pa.Table
    dropped: Mapping[str, int]
    bins: tuple[Mapping[str, Any], ...] = ()


def select_pairs(pairs: pa.Table, facts: pa.Table, choice: PairChoice) -> Selection:
    """The pairs that `choice` leaves, by its rules in this order, each on what the ones before left.

    1. near_duplicate: one of its answers is a near duplicate of an answer that stays.
    2. too_weak: its strength is below `min_strength`.
    3. chosen_too_long: its chosen answer has more than `longest_ratio` times the characters of the rejected one, or
       over `longest_excess` more (IXC-2.5-Reward, arXiv 2501.12368).
    4. over_max_pairs: its prompt has `max_pairs` others.
    5. strength_surplus: its bin of strengths has more pairs than it may give; the bins are even after this rule.
    6. length_surplus: its chosen answer is longer, or shorter, and too many are. Last, so that this balance is exact.

    `facts` are ANSWER_FACTS of at least all answers of the pairs.

    Raises:
        StageFailed: an answer is not among the facts.
    """
    dropped: dict[str, int] = {}
    told: list[Mapping[str, Any]] = []

    def leave(rule: str, left: pa.Table) -> pa.Table:
        dropped[rule] = pairs.num_rows - left.num_rows
        return left

    known = _Facts(facts)
    if choice.without_duplicates:
        pairs = leave("near_duplicate", pairs.filter(pc.invert(known.either_is_duplicate(pairs))))
    if choice.min_strength > 0:
        pairs = leave("too_weak", pairs.filter(pc.greater_equal(pairs["strength"], choice.min_strength)))
    if choice.longest_ratio is not None or choice.longest_excess is not None:
        pairs = leave("chosen_too_long", pairs.filter(pa.array(_short_enough(known, pairs, choice))))
    if choice.max_pairs > 0:
        pairs = leave("over_max_pairs", at_most(pairs, choice.max_pairs))
    if choice.bins > 0 or choice.edges:
        even, bins = evenly_by_strength(pairs, choice.edges, choice.bins, choice.per_bin)
        pairs, told = leave("strength_surplus", even), [asdict(each) for each in bins]
    if choice.length_strata > 0:
        balanced = length_matched(pairs, *known.lengths(pairs), choice.length_strata)
        pairs = leave("length_surplus", pairs.filter(pa.array(balanced)))
    return Selection(pairs.sort_by("pair_id"), dropped, tuple(told))


class _Facts:
    """Answers' facts by id."""

    def __init__(self, facts: pa.Table) -> None:
        self._facts = facts.combine_chunks()

    def lengths(self, pairs: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        chosen, rejected = self._of_both(pairs, "characters")
        return chosen.to_numpy(), rejected.to_numpy()

    def either_is_duplicate(self, pairs: pa.Table) -> pa.ChunkedArray:
        chosen, rejected = self._of_both(pairs, "duplicate_of")
        return pc.or_(pc.is_valid(chosen), pc.is_valid(rejected))

    def _of_both(self, pairs: pa.Table, column: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        known = self._facts["answer_id"].combine_chunks()
        places = [pc.index_in(pairs[name], value_set=known) for name in ("chosen_id", "rejected_id")]
        for name, place in zip(("chosen_id", "rejected_id"), places, strict=True):
            if place.null_count:
                unknown = pairs[name].filter(pc.is_null(place))[0].as_py()
                raise StageFailed(
                    f"answer {unknown} was judged but is not among the answers' facts; make them of the same candidates"
                )
        chosen, rejected = (self._facts[column].take(place) for place in places)
        return chosen, rejected


def _short_enough(known: _Facts, pairs: pa.Table, choice: PairChoice) -> np.ndarray:
    chosen, rejected = known.lengths(pairs)
    kept = np.ones(len(chosen), dtype=bool)
    if choice.longest_ratio is not None:
        kept &= chosen <= choice.longest_ratio * rejected
    if choice.longest_excess is not None:
        kept &= chosen - rejected <= choice.longest_excess
    return kept
