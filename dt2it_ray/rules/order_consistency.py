"""Which comparisons of answers a judge makes alike in both orders in which it saw them."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def agree_in_both_orders(judgements: pa.Table, answers: pa.Table, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """For each comparison, whether no judge turns it or ties it in one of the orders that it saw.

    `judgements` has columns of JUDGEMENTS (prompt_id, judge, shown, assessments), `answers` the columns prompt_id and
    answer_id; comparison i is of the rows `first[i]` and `second[i]` of `answers`. A judge that was shown a second
    order anywhere must have judged both answers in both orders; of other judges nothing is asked.
    """
    steady = np.ones(len(first), dtype=bool)
    for orders in _overalls_by_judge(judgements, answers):
        signs = [np.sign(overall[first] - overall[second]) for overall in orders]
        # NaN, where an answer has no assessment in one order, equals nothing.
        steady &= (signs[0] == signs[1]) & (signs[0] != 0)
    return steady


def _overalls_by_judge(judgements: pa.Table, answers: pa.Table) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each judge with two orders, the overalls of `answers` in the first and in the second; NaN where none is."""
    flat = _flat(judgements)
    for judge in sorted(pc.unique(flat["judge"]).to_pylist()):
        mine = flat.filter(pc.equal(flat["judge"], judge))
        if pc.any(pc.equal(mine["shown"], 1)).as_py():
            first, second = (_aligned(mine.filter(pc.equal(mine["shown"], shown)), answers) for shown in (0, 1))
            yield first, second


def _aligned(flat: pa.Table, answers: pa.Table) -> np.ndarray:
    found = pc.index_in(_keys(answers), value_set=_keys(flat))
    overall = flat["overall"].combine_chunks().take(found)
    return overall.to_numpy(zero_copy_only=False).astype(float)


def _keys(table: pa.Table) -> pa.Array:
    # Ids are hex digits: no separator of theirs can be mistaken for this one.
    return pc.binary_join_element_wise(table["prompt_id"], table["answer_id"], "\n").combine_chunks()


def _flat(judgements: pa.Table) -> pa.Table:
    """One row per assessment: judge, shown, prompt_id, answer_id, overall."""
    lists = judgements["assessments"].combine_chunks()
    parents = pc.list_parent_indices(lists)
    columns = {name: judgements[name].combine_chunks().take(parents) for name in ("judge", "shown", "prompt_id")}
    assessed = pc.list_flatten(lists)
    return pa.table({**columns, **{name: pc.struct_field(assessed, name) for name in ("answer_id", "overall")}})
