"""What an iteration decides about each noisy pair: kept, flipped or dropped, by which rule, on what evidence."""

from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.schema import DECISIONS, PAIRS, Action
from dt2it_ray.rules.flips import strengths_of
from dt2it_ray.rules.votes import COUNTS, count_votes


class Rule(StrEnum):
    """Why a pair ended as it did."""

    CONSISTENT = "consistent"
    """The reward model trained on the step-1 pairs confirms their direction."""
    VOTES = "votes"
    """It does not; the majority of the judges decides."""
    VOTES_TIED = "votes_tied"
    """The judges are split evenly: dropped."""
    TOO_FEW_VOTES = "too_few_votes"
    """Fewer valid votes than required: dropped."""


def add_consistency(voted: pa.Table, scores: pa.Table) -> pa.Table:
    """The VOTED table with `consistency_strength`, told from the source's label, and `consistent`.

    A pair is consistent if the answer that the vote left as chosen scores strictly higher. A pair without a score is
    not.
    """
    strength = strengths_of(voted, scores)
    flipped = voted["flipped_by_vote"].to_numpy()
    confirmed = np.where(flipped, -strength, strength) > 0
    marked = voted.append_column("consistency_strength", pa.array(strength, from_pandas=True))
    return marked.append_column("consistent", pa.array(confirmed))


def pairs_to_rejudge(voted: pa.Table, scores: pa.Table) -> pa.Table:
    """The pairs that the scores do not confirm, as PAIRS in their source's direction, which verdicts refer to."""
    marked = add_consistency(voted, scores)
    open_pairs = marked.filter(pc.invert(marked["consistent"]))
    open_pairs = open_pairs.append_column("strength", open_pairs["consistency_strength"])
    return open_pairs.select(PAIRS.names).cast(PAIRS)


def decide(voted: pa.Table, scores: pa.Table, votes: pa.Table, required_votes: int) -> pa.Table:
    """The DECISIONS on all pairs of a VOTED table, sorted by pair.

    `scores` are those of the model trained on the step-1 pairs, `votes` the verdicts on `pairs_to_rejudge` (columns of
    VOTES). Strengths and votes are told from the source's label, `chosen_id` and `rejected_id` are the final
    direction, the source's if the pair is dropped. Vote columns are null where nobody was asked.
    """
    marked = add_consistency(voted, scores).sort_by([("pair_id", "ascending")])
    counts = count_votes(votes)
    found = pc.index_in(marked["pair_id"].combine_chunks(), value_set=counts["pair_id"].combine_chunks())
    tally = {name: counts[name].combine_chunks().take(found) for name in COUNTS.names[1:]}
    chosen, rejected, valid = (pc.fill_null(tally[name], 0).to_numpy(zero_copy_only=False) for name in COUNTS.names[1:])
    consistent = marked["consistent"].to_numpy()
    conditions = [consistent, valid < max(required_votes, 1), chosen == rejected]
    rule = np.select(conditions, [Rule.CONSISTENT, Rule.TOO_FEW_VOTES, Rule.VOTES_TIED], Rule.VOTES)
    dropped = (rule == Rule.TOO_FEW_VOTES) | (rule == Rule.VOTES_TIED)
    turned = np.where(consistent, marked["flipped_by_vote"].to_numpy(), rejected > chosen) & ~dropped
    action = np.select([dropped, turned], [Action.DROPPED, Action.FLIPPED], Action.KEPT)
    flipped = pa.array(turned)
    columns = {
        **{name: marked[name] for name in marked.column_names},
        **tally,
        "action": pa.array(action.tolist(), pa.string()),
        "rule": pa.array(rule.tolist(), pa.string()),
        "chosen_id": pc.if_else(flipped, marked["rejected_id"], marked["chosen_id"]),
        "rejected_id": pc.if_else(flipped, marked["chosen_id"], marked["rejected_id"]),
        "flipped": flipped,
    }
    return pa.table({name: columns[name] for name in DECISIONS.names}, schema=DECISIONS)


def training_pairs(decisions: pa.Table) -> pa.Table:
    """The pairs that were not dropped, as PAIRS in their final direction.

    Strength is the consistency model's, turned with the pair: negative where the judges overruled the model.
    """
    kept = decisions.filter(pc.not_equal(decisions["action"], Action.DROPPED))
    strength = kept["consistency_strength"]
    turned = pc.if_else(kept["flipped"], pc.negate(strength), strength)
    return kept.append_column("strength", turned).select(PAIRS.names).cast(PAIRS)


def planted_recall(decisions: pa.Table) -> float | None:
    """Of the pairs whose label is wrong on purpose, the share that ended flipped or dropped; None if there are none."""
    acted, planted = _acted_and_planted(decisions)
    return float(acted[planted].mean()) if planted.any() else None


def planted_precision(decisions: pa.Table) -> float | None:
    """Of the pairs that ended flipped or dropped, the share whose label is wrong on purpose; None if there are none."""
    acted, planted = _acted_and_planted(decisions)
    return float(planted[acted].mean()) if acted.any() else None


def _acted_and_planted(decisions: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    known = decisions.filter(pc.is_valid(decisions["planted_flip"]))
    acted = pc.not_equal(known["action"], Action.KEPT)
    return acted.to_numpy(), known["planted_flip"].to_numpy()
