"""Which noisy labels the voters overturn: of the pairs that they score backwards, the worst part is flipped."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.schema import DECISIONS, PAIRS
from dt2it_ray.errors import StageFailed

Normalisation = Literal["none", "rms"]

VOTED = pa.schema(
    [
        DECISIONS.field(name)
        for name in (
            "pair_id",
            "prompt_id",
            "source",
            "chosen_id",
            "rejected_id",
            "vote_strength",
            "voter_strengths",
            "flip_threshold",
            "flipped_by_vote",
            "planted_flip",
        )
    ]
)
"""Pairs as their source labels them, with the voters' evidence. Strengths are told from the source's label."""


def vote_and_flip(
    pairs: pa.Table, voters: Sequence[pa.Table], share: float = 0.5, normalise: Normalisation = "none"
) -> pa.Table:
    """The pairs as a VOTED table sorted by id; floor(n * share) of the n with a negative mean strength are flipped.

    `pairs` has the columns of PAIRS, each of `voters` those of SCORES. The most negative go first, ties by pair_id
    (arXiv 2604.19544, step 1, with share 0.5). `rms` divides each voter's strengths by their root mean square, so
    that voters count alike; their mean stays, because a strength's sign is the voter's opinion.
    A pair that some voter could not score has no strength and is not flipped. `flip_threshold` is the greatest
    strength that was flipped, null if none was.

    Raises:
        StageFailed: there is no voter, or a voter's scores are not finite or name an answer twice.
    """
    if not voters:
        raise StageFailed("vote and flip needs the scores of at least one voter")
    # Sums of floats depend on their order; sorted pairs make them the same for every order of rows.
    pairs = pairs.sort_by([("pair_id", "ascending")])
    strengths = np.stack([_normalised(strengths_of(pairs, scores), normalise) for scores in voters], axis=1)
    mean = strengths.mean(axis=1)
    negative = np.flatnonzero(mean < 0)
    # In floats 90 * 0.7 is a little less than 63.
    count = math.floor(len(negative) * share + 1e-9)
    worst = negative[np.argsort(mean[negative], kind="stable")][:count]
    flipped = np.zeros(len(mean), bool)
    flipped[worst] = True
    threshold = pa.scalar(mean[worst].max() if len(worst) else None, pa.float64())
    evidence = {
        "vote_strength": pa.array(mean, from_pandas=True),
        "voter_strengths": _lists(strengths),
        "flip_threshold": pa.repeat(threshold, len(mean)),
        "flipped_by_vote": pa.array(flipped),
    }
    return pa.table({name: evidence.get(name, pairs[name] if name in PAIRS.names else None) for name in VOTED.names})


def strengths_of(pairs: pa.Table, scores: pa.Table) -> np.ndarray:
    """score(chosen) - score(rejected) of each pair, NaN where an answer has no score.

    Raises:
        StageFailed: a score is not finite, or an answer is scored twice.
    """
    values, answers = scores["score"].to_numpy(), scores["answer_id"].combine_chunks()
    broken = np.flatnonzero(~np.isfinite(values))
    if broken.size:
        answer = answers[int(broken[0])].as_py()
        raise StageFailed(f"the score of answer {answer} is {values[broken[0]]}; the model that gave it is broken")
    if len(pc.unique(answers)) < len(answers):
        raise StageFailed(f"{len(answers) - len(pc.unique(answers))} answers are scored twice by one model")
    chosen, rejected = (
        pa.array(values).take(pc.index_in(pairs[column].combine_chunks(), value_set=answers))
        for column in ("chosen_id", "rejected_id")
    )
    return pc.subtract(chosen, rejected).to_numpy(zero_copy_only=False)


def voted_pairs(voted: pa.Table) -> pa.Table:
    """All pairs of a VOTED table in their direction after the vote, for the training of step 2."""
    flipped = voted["flipped_by_vote"]
    strength = voted["vote_strength"]
    columns = {
        **{name: voted[name] for name in ("pair_id", "prompt_id", "source", "planted_flip")},
        "chosen_id": pc.if_else(flipped, voted["rejected_id"], voted["chosen_id"]),
        "rejected_id": pc.if_else(flipped, voted["chosen_id"], voted["rejected_id"]),
        "strength": pc.if_else(flipped, pc.negate(strength), strength),
    }
    return pa.table({name: columns[name] for name in PAIRS.names}, schema=PAIRS)


def _normalised(strengths: np.ndarray, normalise: Normalisation) -> np.ndarray:
    known = strengths[~np.isnan(strengths)]
    if normalise == "none" or not known.any():
        return strengths
    return strengths / np.sqrt(np.mean(known**2))


def _lists(strengths: np.ndarray) -> pa.ListArray:
    rows, voters = strengths.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * voters)
    return pa.ListArray.from_arrays(offsets, pa.array(strengths.ravel(), from_pandas=True))
