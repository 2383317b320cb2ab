"""What the votes on doubted pairs say, in the form in which all judges are measured."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.schema import DOUBTED
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.comparisons import Codebook, Compared, codebook
from dt2it_ray.rules.intervals import Codes
from dt2it_ray.rules.raters import ORDERS, REJUDGE, Judged, Rater, answers_known, judged_by
from dt2it_ray.rules.votes import Verdict, refuse_bad_votes


@dataclass(frozen=True)
class _Pairs:
    """The pairs that were put to the vote, sorted by id, with codes of their prompts and answers."""

    ids: Codebook
    prompts: Codes
    chosen: Codes
    rejected: Codes


def voted(votes: pa.Table, doubted: pa.Table, answers: pa.Table, sources: pa.Table) -> Judged:
    """What VOTES (pair_id, judge, swapped, verdict) on the DOUBTED pairs say; `answers` and `sources` as for `judged`.

    A judge's vote on a pair is its vote in both orders together: for a side if it is for that side in one order and
    not for the other side in the other order. An invalid vote says nothing.

    Raises:
        StageFailed: a judge votes twice, a verdict is unknown, or a pair is missing from `doubted`, an answer from
            `answers`, or a prompt from `sources`.
    """
    refuse_bad_votes(votes)
    prompts = codebook(doubted["prompt_id"])
    pairs, rated = _pairs_of(doubted, prompts)
    prompt_of = np.zeros(len(rated.ids), np.int64)
    for side in (pairs.chosen, pairs.rejected):
        prompt_of[side] = pairs.prompts
    return judged_by(list(_raters(votes, pairs)), answers_known(rated, prompt_of, answers), prompts, sources)


def _pairs_of(doubted: pa.Table, prompts: Codebook) -> tuple[_Pairs, Codebook]:
    """The doubted pairs, and the answers that they are of."""
    lists = pa.concat_arrays([pa.array([], DOUBTED.field("pairs").type), *doubted["pairs"].chunks])
    order = pc.array_sort_indices(lists.flatten().field("pair_id"))
    listed = lists.flatten().take(order)
    prompt = prompts.codes(doubted["prompt_id"].take(pc.list_parent_indices(lists).take(order)))
    chosen, rejected = listed.field("chosen_id"), listed.field("rejected_id")
    rated = codebook(pa.chunked_array([chosen, rejected]))
    return _Pairs(Codebook(listed.field("pair_id")), prompt, rated.codes(chosen), rated.codes(rejected)), rated


def _raters(votes: pa.Table, pairs: _Pairs) -> Iterator[Rater]:
    judges = codebook(votes["judge"])
    voter, pair = judges.codes(votes["judge"]), pairs.ids.codes(votes["pair_id"])
    if len(unknown := np.flatnonzero(pair < 0)):
        name = votes["pair_id"][int(unknown[0])].as_py()
        raise StageFailed(f"pair {name} has votes, but is not among the doubted pairs; judge the doubted pairs again")
    verdicts = (Verdict.CHOSEN, Verdict.REJECTED, Verdict.INVALID)
    chosen, rejected, invalid = (np.asarray(pc.equal(votes["verdict"], verdict), np.int64) for verdict in verdicts)
    swapped, side = np.asarray(votes["swapped"], np.int64), chosen - rejected
    for code, judge in enumerate(judges.ids.to_pylist()):
        mine = (invalid == 0) & (voter == code)
        rows = [mine & (swapped == shown) for shown in ORDERS]
        orders = [_compared(pairs, pair[seen], side[seen], shown) for seen, shown in zip(rows, ORDERS, strict=True)]
        units, places = np.unique(pair[mine], return_inverse=True)
        both = np.sign(np.bincount(places, side[mine], len(units))).astype(np.int64)
        yield Rater(REJUDGE, judge, orders, _compared(pairs, units, both, ORDERS[0]), means=None)


def _compared(pairs: _Pairs, units: Codes, side: Codes, shown: int) -> Compared:
    """Verdicts on the pairs at these places: `side` is 1 for the chosen answer, -1 for the rejected one. In the
    first order (`shown` 0) the chosen answer comes first."""
    order = np.argsort(units)
    units, side = units[order], side[order]
    chosen, rejected = pairs.chosen[units], pairs.rejected[units]
    turned = chosen > rejected
    return Compared(
        units=units,
        prompts=pairs.prompts[units],
        first=np.minimum(chosen, rejected),
        second=np.maximum(chosen, rejected),
        directions=np.where(turned, -side, side),
        first_shown_first=turned == shown,
    )
