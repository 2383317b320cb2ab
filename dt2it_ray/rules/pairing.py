"""Which answers of a prompt form preference pairs: those whose order both judges agree on (arXiv 2604.19544)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.ids import pair_id
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.order_consistency import agree_in_both_orders

MEAN_DECIMALS = 6
"""Means of overall scores, which have two decimals, are compared at this many."""

BY_ANSWER = [("prompt_id", "ascending"), ("answer_id", "ascending"), ("overall", "ascending")]


@dataclass(frozen=True)
class Pairing:
    """Pairs sorted by `pair_id`, and how many comparisons went which way."""

    pairs: pa.Table
    counts: Mapping[str, int]


def form_pairs(
    listwise: pa.Table, pointwise: pa.Table, sources: pa.Table, max_pairs: int = 0, both_orders: bool = False
) -> Pairing:
    """Every two answers of a prompt that both judges order alike and strictly, the better one as chosen.

    `listwise` and `pointwise` have the columns of JUDGEMENTS; several judgements of one answer are averaged. `sources`
    has `prompt_id` and `source`. Strength is the mean of the two judges' gaps between overall scores. With `max_pairs`
    above 0 a prompt gives at most that many pairs, drawn by pair id, which is a content hash: weak and strong alike.
    With `both_orders` no listwise judge may turn a pair in one of the orders that it saw.

    Raises:
        StageFailed: a judged prompt is not in `sources`.
    """
    both, unmatched = _answers_of_both(listwise, pointwise)
    first, second = _comparisons(both["prompt_id"])
    gaps = [overall[first] - overall[second] for overall in (both["listwise"].to_numpy(), both["pointwise"].to_numpy())]
    tied = (gaps[0] == 0) | (gaps[1] == 0)
    agreed = ~tied & (np.sign(gaps[0]) == np.sign(gaps[1]))
    turned = agreed & ~agree_in_both_orders(listwise, both, first, second) if both_orders else np.zeros_like(agreed)
    agreed &= ~turned
    counts = {
        "prompts": len(pc.unique(both["prompt_id"])),
        "answers": both.num_rows,
        "answers_judged_once": unmatched,
        "agreed": int(agreed.sum()),
        "disagreed": int((~tied & ~agreed & ~turned).sum()),
        **({"order_turned": int(turned.sum())} if both_orders else {}),
        "tied": int(tied.sum()),
    }
    better = np.where(gaps[0] > 0, first, second)[agreed]
    worse = np.where(gaps[0] > 0, second, first)[agreed]
    strength = ((np.abs(gaps[0]) + np.abs(gaps[1])) / 2)[agreed]
    pairs = _at_most(_pair_table(both, better, worse, strength, sources), max_pairs)
    return Pairing(pairs, {**counts, "pairs": pairs.num_rows})


def _answers_of_both(listwise: pa.Table, pointwise: pa.Table) -> tuple[pa.Table, int]:
    """Answers with an overall by each judge, sorted by prompt and answer; and how many have one only."""
    one, other = (
        _mean_overalls(table).rename_columns(["prompt_id", "answer_id", name])
        for name, table in (("listwise", listwise), ("pointwise", pointwise))
    )
    both = one.join(other, keys=["prompt_id", "answer_id"], join_type="inner", use_threads=False)
    both = both.sort_by(BY_ANSWER[:2]).combine_chunks()
    return both, one.num_rows + other.num_rows - 2 * both.num_rows


def _mean_overalls(judgements: pa.Table) -> pa.Table:
    """Columns prompt_id, answer_id, overall: one row per judged answer, the mean over its judgements."""
    rows = judgements.select(["prompt_id", "assessments"]).combine_chunks()
    lists = rows["assessments"].combine_chunks() if rows.num_rows else pa.array([], rows["assessments"].type)
    assessed = pa.Table.from_struct_array(lists.flatten())
    prompts = rows["prompt_id"].take(pc.list_parent_indices(lists))
    flat = pa.table({"prompt_id": prompts, "answer_id": assessed["answer_id"], "overall": assessed["overall"]})
    # A float sum depends on its order, so the order is made total before the mean is taken.
    ordered = flat.sort_by(BY_ANSWER)
    means = ordered.group_by(["prompt_id", "answer_id"], use_threads=False).aggregate([("overall", "mean")])
    # (7.1 + 7.3) / 2 is below 7.2 as a float; unrounded, it would not tie with 7.2.
    rounded = pc.round(means["overall_mean"], MEAN_DECIMALS)
    return pa.table({"prompt_id": means["prompt_id"], "answer_id": means["answer_id"], "overall": rounded})


def _comparisons(prompts: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of every two rows with the same prompt. Rows of a prompt stand together."""
    group = pc.dictionary_encode(prompts).combine_chunks().indices.to_numpy() if len(prompts) else np.zeros(0, int)
    firsts, seconds, distance = [np.zeros(0, int)], [np.zeros(0, int)], 1
    while (found := np.flatnonzero(group[:-distance] == group[distance:])).size:
        firsts.append(found)
        seconds.append(found + distance)
        distance += 1
    return np.concatenate(firsts), np.concatenate(seconds)


def _pair_table(
    both: pa.Table, better: np.ndarray, worse: np.ndarray, strength: np.ndarray, sources: pa.Table
) -> pa.Table:
    prompts, chosen, rejected = (
        both[column].take(pa.array(rows))
        for column, rows in (("prompt_id", better), ("answer_id", better), ("answer_id", worse))
    )
    source = sources["source"].take(pc.index_in(prompts, value_set=sources["prompt_id"].combine_chunks()))
    if source.null_count:
        unknown = prompts.filter(pc.is_null(source))[0].as_py()
        raise StageFailed(f"prompt {unknown} was judged but is not among the prompts; judge and pair the same prompts")
    names = zip(source.to_pylist(), chosen.to_pylist(), rejected.to_pylist(), strict=True)
    columns = {
        "pair_id": pa.array([pair_id(*parts) for parts in names], pa.string()),
        "prompt_id": prompts,
        "chosen_id": chosen,
        "rejected_id": rejected,
        "source": source,
        "strength": pa.array(strength, pa.float64()),
        "planted_flip": pa.nulls(len(prompts), pa.bool_()),
    }
    return pa.table(columns, schema=PAIRS)


def _at_most(pairs: pa.Table, max_pairs: int) -> pa.Table:
    """The pairs sorted by id; the first `max_pairs` of each prompt if that is above 0."""
    if max_pairs > 0 and pairs.num_rows:
        pairs = pairs.sort_by([("prompt_id", "ascending"), ("pair_id", "ascending")])
        group = pc.dictionary_encode(pairs["prompt_id"]).combine_chunks().indices.to_numpy()
        starts = np.searchsorted(group, group)
        pairs = pairs.filter(pa.array(np.arange(len(group)) - starts < max_pairs))
    return pairs.sort_by([("pair_id", "ascending")])
