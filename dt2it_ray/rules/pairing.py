"""Which answers of a prompt form preference pairs: those whose order both judges agree on (arXiv 2604.19544)."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.ids import pair_id
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.comparisons import MEAN_DECIMALS, codebook, every_two
from dt2it_ray.rules.order_consistency import agree_in_both_orders

BY_ANSWER = [("prompt_id", "ascending"), ("answer_id", "ascending"), ("overall", "ascending")]


@dataclass(frozen=True)
class Pairing:
    """Pairs sorted by `pair_id`, and how many comparisons went which way."""

    pairs: pa.Table
    counts: Mapping[str, int]


def form_pairs(
    listwise: pa.Table,
    pointwise: pa.Table | None,
    sources: pa.Table,
    both_orders: bool = False,
) -> Pairing:
    """Every two answers of a prompt that both kinds of judging order alike and strictly, the better one as chosen.

    `listwise` and `pointwise` have the columns of JUDGEMENTS. The gap between two answers is the mean over the judges,
    and their orders, that assessed both. `sources` has `prompt_id` and `source`. Strength is the mean of the gaps,
    listwise and pointwise. Without `pointwise`, the listwise order decides alone. With `both_orders` no listwise judge
    may turn a pair in one of the orders that it saw. Of all comparisons each is agreed, disagreed, tied, (with
    `both_orders`) turned or `judged_apart`: no judge of a mode assessed both; counted only if there are such.

    Raises:
        StageFailed: a judged prompt is not in `sources`.
    """
    modes = {"listwise": listwise} if pointwise is None else {"listwise": listwise, "pointwise": pointwise}
    judged, unmatched = _answers_of_all(modes)
    first, second = every_two(codebook(judged["prompt_id"]).codes(judged["prompt_id"]))
    gaps = np.stack([_mean_gaps(judgements, judged, first, second) for judgements in modes.values()])
    steady = agree_in_both_orders(listwise, judged, first, second) if both_orders else None
    agreed, outcomes = _outcomes(gaps, steady)
    counts = {
        "prompts": len(pc.unique(judged["prompt_id"])),
        "answers": judged.num_rows,
        "answers_judged_once": unmatched,
        **outcomes,
    }
    first, second, gaps = first[agreed], second[agreed], gaps[:, agreed]
    better, worse = np.where(gaps[0] > 0, (first, second), (second, first))
    strength = np.round(np.abs(gaps).mean(axis=0), MEAN_DECIMALS)
    return Pairing(_pair_table(judged, better, worse, strength, sources).sort_by("pair_id"), counts)


def _outcomes(gaps: np.ndarray, steady: np.ndarray | None) -> tuple[np.ndarray, dict[str, int]]:
    """Which comparisons are agreed, and how many went which way. `gaps` is (modes, comparisons), NaN where no judge of
    a mode assessed both answers; `steady` says where no listwise judge turned a pair, None if that is not asked."""
    apart = np.isnan(gaps).any(axis=0)
    tied = ~apart & (gaps == 0).any(axis=0)
    alike = ~apart & ~tied & (np.sign(gaps) == np.sign(gaps[0])).all(axis=0)
    agreed = alike if steady is None else alike & steady
    counts = {
        "agreed": int(agreed.sum()),
        "disagreed": int((~apart & ~tied & ~alike).sum()),
        **({} if steady is None else {"order_turned": int((alike & ~steady).sum())}),
        "tied": int(tied.sum()),
        **({"judged_apart": int(apart.sum())} if apart.any() else {}),
    }
    return agreed, counts


def _answers_of_all(modes: Mapping[str, pa.Table]) -> tuple[pa.Table, int]:
    """Answers with an overall of every mode, sorted by prompt and answer; and how many lack one."""
    means = [mean_overalls(table).select(["prompt_id", "answer_id"]) for table in modes.values()]
    judged = functools.reduce(
        lambda one, other: one.join(other, keys=["prompt_id", "answer_id"], join_type="inner", use_threads=False),
        means,
    )
    judged = judged.sort_by(BY_ANSWER[:2]).combine_chunks()
    return judged, sum(table.num_rows - judged.num_rows for table in means)


def _mean_gaps(judgements: pa.Table, answers: pa.Table, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How much higher the first answer is rated, by those who rated both, judges in each of their orders; else NaN."""
    total, told = np.zeros(len(first)), np.zeros(len(first), np.int64)
    for overalls in _overalls_by_rater(judgements, answers):
        gaps = overalls[first] - overalls[second]
        both = ~np.isnan(gaps)
        total[both] += gaps[both]
        told += both
    means = np.full(len(first), np.nan)
    np.divide(total, told, out=means, where=told > 0)
    return np.round(means, MEAN_DECIMALS)


def _overalls_by_rater(judgements: pa.Table, answers: pa.Table) -> Iterator[np.ndarray]:
    """For each judge and order, the overalls of `answers`, NaN where there is none; sorted, as sums depend on it."""
    orders = judgements["shown"].cast(pa.string())
    raters = pc.binary_join_element_wise(judgements["judge"], orders, "/", null_handling="replace")
    keys = _keys(answers)
    for rater in sorted(pc.unique(raters).to_pylist()):
        means = mean_overalls(judgements.filter(pc.equal(raters, rater)))
        found = pc.index_in(keys, value_set=_keys(means))
        overalls = means["overall"].combine_chunks().take(found)
        yield overalls.to_numpy(zero_copy_only=False).astype(float)


def _keys(answers: pa.Table) -> pa.Array:
    # Ids are hex digits: no separator of theirs can be mistaken for this one.
    return pc.binary_join_element_wise(answers["prompt_id"], answers["answer_id"], "\n").combine_chunks()


def mean_overalls(judgements: pa.Table) -> pa.Table:
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


def _pair_table(
    judged: pa.Table, better: np.ndarray, worse: np.ndarray, strength: np.ndarray, sources: pa.Table
) -> pa.Table:
    prompts, chosen, rejected = (
        judged[column].take(pa.array(rows))
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
