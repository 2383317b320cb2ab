"""What several judges in both orders say of a pair: one vote each, half to each side for a tie (arXiv 2604.19544)."""

from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.errors import StageFailed


class Verdict(StrEnum):
    """Which answer of a pair is better, told from the pair's own chosen and rejected, not from the order shown."""

    CHOSEN = "chosen"
    REJECTED = "rejected"
    TIE = "tie"
    INVALID = "invalid"
    """The judge gave no valid reply; it does not vote."""

    def swap(self) -> "Verdict":
        """The same opinion of the pair with chosen and rejected exchanged."""
        return {Verdict.CHOSEN: Verdict.REJECTED, Verdict.REJECTED: Verdict.CHOSEN}.get(self, self)


COUNTS = pa.schema(
    [
        ("pair_id", pa.string()),
        ("votes_chosen", pa.float64()),
        ("votes_rejected", pa.float64()),
        ("valid_votes", pa.int64()),
    ]
)
"""The votes for each side of a pair."""


def compare_shown(first: float, second: float, swapped: bool) -> Verdict:
    """The verdict of one judgement from the overall scores in the order shown; `swapped` shows the rejected first."""
    if first == second:
        return Verdict.TIE
    verdict = Verdict.CHOSEN if first > second else Verdict.REJECTED
    return verdict.swap() if swapped else verdict


def count_votes(votes: pa.Table) -> pa.Table:
    """One row of COUNTS per pair in `votes` (columns pair_id, judge, swapped, verdict), sorted by pair.

    Raises:
        StageFailed: a judge votes twice on a pair in the same order, or a verdict is not one of `Verdict`.
    """
    refuse_bad_votes(votes)
    verdict = votes["verdict"]
    tie = pc.multiply(0.5, pc.cast(pc.equal(verdict, Verdict.TIE), pa.float64()))
    table = pa.table(
        {
            "pair_id": votes["pair_id"],
            "votes_chosen": pc.add(pc.cast(pc.equal(verdict, Verdict.CHOSEN), pa.float64()), tie),
            "votes_rejected": pc.add(pc.cast(pc.equal(verdict, Verdict.REJECTED), pa.float64()), tie),
            "valid_votes": pc.cast(pc.not_equal(verdict, Verdict.INVALID), pa.int64()),
        }
    )
    sums = table.group_by("pair_id", use_threads=False).aggregate([(name, "sum") for name in COUNTS.names[1:]])
    counts = sums.select(["pair_id", *(f"{name}_sum" for name in COUNTS.names[1:])]).rename_columns(COUNTS.names)
    return counts.cast(COUNTS).sort_by([("pair_id", "ascending")])


def refuse_bad_votes(votes: pa.Table) -> None:
    """Raises StageFailed if a judge votes twice on a pair in the same order, or a verdict is not one of `Verdict`."""
    unknown = pc.invert(pc.is_in(votes["verdict"], value_set=pa.array([str(verdict) for verdict in Verdict])))
    if pc.any(unknown).as_py():
        bad = votes.filter(unknown)
        raise StageFailed(
            f"the verdict {bad['verdict'][0].as_py()!r} on pair {bad['pair_id'][0].as_py()} is none of {list(Verdict)}"
        )
    ballots = votes.group_by(["pair_id", "judge", "swapped"], use_threads=False).aggregate([([], "count_all")])
    doubled = ballots.filter(pc.greater(ballots["count_all"], 1)).sort_by([("pair_id", "ascending")])
    if doubled.num_rows:
        ballot = doubled.slice(0, 1).to_pylist()[0]
        raise StageFailed(
            f"judge {ballot['judge']} votes {ballot['count_all']} times on pair {ballot['pair_id']} "
            f"with swapped={ballot['swapped']}; a judge votes once in each order"
        )
