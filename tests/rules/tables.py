"""Small tables of pairs, scores, votes and judgements for the tests of the rules."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from dt2it_ray.data.schema import JUDGEMENTS, PAIRS, SCORES, VOTES


def pair_table(pairs: Iterable[tuple[str, str, str]], planted: Mapping[str, bool] | None = None) -> pa.Table:
    """PAIRS of (pair_id, chosen_id, rejected_id); every pair has a prompt of its own."""
    rows = [
        {
            "pair_id": pair,
            "prompt_id": f"prompt of {pair}",
            "chosen_id": chosen,
            "rejected_id": rejected,
            "source": "noisy",
            "strength": None,
            "planted_flip": None if planted is None else planted[pair],
        }
        for pair, chosen, rejected in pairs
    ]
    return pa.Table.from_pylist(rows, schema=PAIRS)


def numbered_pairs(count: int, planted: Sequence[bool] | None = None) -> pa.Table:
    """Pairs p00, p01, ... with the answers p00+ (chosen) and p00- (rejected)."""
    names = [f"p{place:02d}" for place in range(count)]
    truth = None if planted is None else dict(zip(names, planted, strict=True))
    return pair_table([(name, f"{name}+", f"{name}-") for name in names], truth)


def score_table(scores: Mapping[str, float]) -> pa.Table:
    """SCORES by answer."""
    rows = [{"answer_id": answer, "prompt_id": "p", "score": score} for answer, score in scores.items()]
    return pa.Table.from_pylist(rows, schema=SCORES)


def scores_with_strengths(strengths: Sequence[float]) -> pa.Table:
    """SCORES that give `numbered_pairs` these strengths: rejected answers score 0."""
    chosen = {f"p{place:02d}+": strength for place, strength in enumerate(strengths)}
    return score_table({**chosen, **{f"p{place:02d}-": 0.0 for place in range(len(strengths))}})


def vote_table(votes: Iterable[tuple[str, str, bool, str]]) -> pa.Table:
    """VOTES of (pair_id, judge, swapped, verdict)."""
    rows = [
        {"vote_id": f"{place}", "pair_id": pair, "judge": judge, "swapped": swapped, "verdict": verdict}
        for place, (pair, judge, swapped, verdict) in enumerate(votes)
    ]
    return pa.Table.from_pylist(rows, schema=VOTES)


def judgement_table(overalls: Iterable[tuple[str, Mapping[str, float]]]) -> pa.Table:
    """JUDGEMENTS of (prompt_id, overall by answer), one row each."""
    rows = [{"prompt_id": prompt, "assessments": _assessments(by_answer)} for prompt, by_answer in overalls]
    return pa.Table.from_pylist(rows, schema=JUDGEMENTS)


def _assessments(by_answer: Mapping[str, float]) -> list[dict[str, Any]]:
    return [{"answer_id": answer, "overall": overall} for answer, overall in by_answer.items()]


def shuffled(table: pa.Table) -> pa.Table:
    """The same rows in another order, in several chunks."""
    rows = list(range(table.num_rows))
    mixed = rows[1::2] + rows[0::2][::-1]
    return pa.concat_tables([table.take([place]) for place in mixed]) if rows else table
