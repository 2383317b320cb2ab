"""Which answers of a prompt its granular ratings choose and reject (arXiv 2402.10884)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dt2it_ray.data.attributes import ATTRIBUTES, QUALITY
from dt2it_ray.data.granular import CHOICES, GRADED, RATINGS
from dt2it_ray.data.ids import ID_LENGTH, content_id, pair_id
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.errors import StageFailed

GAP_DECIMALS = 6
"""Gaps between means over raters are compared at this many: as floats, 16/3 - 10/3 is below 2."""


@dataclass(frozen=True)
class Choosing:
    """CHOICES sorted by prompt, and how many prompts went which way."""

    choices: pa.Table
    counts: Mapping[str, int]


def flat_ratings(ratings: pa.Table) -> pa.Table:
    """One row per rated answer with a column per attribute, sorted by prompt, answer and rater.

    `ratings` has the columns `prompt_id`, `judge` and `ratings` of RATINGS."""
    rows = ratings.select(["prompt_id", "judge", "ratings"]).combine_chunks()
    lists = rows["ratings"].combine_chunks() if rows.num_rows else pa.array([], RATINGS.field("ratings").type)
    rated, parents = lists.flatten(), pc.list_parent_indices(lists)
    values = rated.field("values").flatten().to_numpy().reshape(-1, len(ATTRIBUTES))
    columns = {
        "prompt_id": rows["prompt_id"].take(parents),
        "answer_id": rated.field("answer_id"),
        "judge": rows["judge"].take(parents),
        "characters": rated.field("characters"),
        **{name: pa.array(values[:, place]) for place, name in enumerate(ATTRIBUTES)},
    }
    return pa.table(columns).sort_by([(name, "ascending") for name in ("prompt_id", "answer_id", "judge")])


def choose_answers(flat: pa.Table, min_gap: float, seed: int) -> Choosing:
    """The best answer of every prompt, and one that is rejected for it, from `flat_ratings` of one rater or several.

    Quality is the sum of helpfulness, correctness and coherence, a mean over the raters. Chosen is an answer of the
    highest quality, rejected one of those at least `min_gap` below it; where several qualify, each is as likely as the
    others: the lowest hash of seed and answer decides. A prompt without an answer so far below its best is skipped.
    """
    graded = _mean_values(flat)
    encoded = graded["prompt_id"].combine_chunks().dictionary_encode()
    prompts, group = encoded.dictionary, encoded.indices.to_numpy()
    quality = graded["quality"].to_numpy()
    best = np.full(len(prompts), -np.inf)
    np.maximum.at(best, group, quality)
    below = np.round(best[group] - quality, GAP_DECIMALS)
    answers = graded["answer_id"].to_pylist()
    chosen = _draw_one(below == 0, group, answers, f"chosen {seed}")
    rejected = _draw_one(below >= min_gap, group, answers, f"rejected {seed}")
    sizes = np.bincount(group, minlength=len(prompts))
    choices = _choice_table(prompts, sizes, graded, chosen, pa.array(rejected, mask=rejected < 0), below)
    paired = rejected >= 0
    longer = np.sign((graded["characters"].to_numpy()[chosen] - graded["characters"].to_numpy()[rejected])[paired])
    counts = {
        "prompts": len(prompts),
        "answers": graded.num_rows,
        "pairs": int(paired.sum()),
        "skipped_one_answer": int((sizes == 1).sum()),
        "skipped_small_gap": int((~paired & (sizes > 1)).sum()),
        "tied_for_best": int((np.bincount(group[below == 0], minlength=len(prompts)) > 1).sum()),
        "chosen_longer": int((longer > 0).sum()),
        "chosen_shorter": int((longer < 0).sum()),
    }
    return Choosing(choices, counts)


def pairs_of(choices: pa.Table, sources: pa.Table) -> pa.Table:
    """PAIRS of the prompts that are not skipped, sorted by id. Strength is the quality gap, in points of 0 to 12.

    `sources` has `prompt_id` and `source`.

    Raises:
        StageFailed: a rated prompt is not in `sources`.
    """
    made = choices.filter(pc.is_valid(choices["rejected_id"]))
    source = sources["source"].take(pc.index_in(made["prompt_id"], value_set=sources["prompt_id"].combine_chunks()))
    if source.null_count:
        unknown = made["prompt_id"].filter(pc.is_null(source))[0].as_py()
        raise StageFailed(f"prompt {unknown} was rated but is not among the prompts; rate and pair the same prompts")
    names = zip(*(column.to_pylist() for column in (source, made["chosen_id"], made["rejected_id"])), strict=True)
    columns = {
        "pair_id": pa.array([pair_id(*parts) for parts in names], pa.string()),
        "prompt_id": made["prompt_id"],
        "chosen_id": made["chosen_id"],
        "rejected_id": made["rejected_id"],
        "source": source,
        "strength": made["gap"],
        "planted_flip": pa.nulls(made.num_rows, pa.bool_()),
    }
    return pa.table(columns, schema=PAIRS).sort_by([("pair_id", "ascending")])


def _mean_values(flat: pa.Table) -> pa.Table:
    """One row per answer with the means of its values over the raters and its quality, sorted by prompt and answer."""
    sums = flat.group_by(["prompt_id", "answer_id"], use_threads=False).aggregate(
        [*((name, "sum") for name in ATTRIBUTES), ("judge", "count"), ("characters", "max")]
    )
    raters = sums["judge_count"].to_numpy()
    by_name = {name: sums[f"{name}_sum"].to_numpy() for name in ATTRIBUTES}
    quality = np.sum([by_name[name] for name in QUALITY], axis=0, dtype=np.int64) / raters
    columns = {
        "prompt_id": sums["prompt_id"],
        "answer_id": sums["answer_id"],
        "characters": sums["characters_max"],
        "quality": pa.array(quality),
        **{name: pa.array(values / raters) for name, values in by_name.items()},
    }
    return pa.table(columns).sort_by([("prompt_id", "ascending"), ("answer_id", "ascending")])


def _draw_one(fits: NDArray[np.bool_], group: NDArray[np.intp], answers: Sequence[str], key: str) -> NDArray[np.intp]:
    """For each group the place of one of its answers that fit, -1 if none does."""
    places = np.flatnonzero(fits)
    hashes = np.array([content_id("granular", key, answers[place]) for place in places.tolist()], dtype=f"S{ID_LENGTH}")
    ordered = places[np.lexsort((hashes, group[places]))]
    groups, first = np.unique(group[ordered], return_index=True)
    drawn = np.full(int(group.max()) + 1 if len(group) else 0, -1)
    drawn[groups] = ordered[first]
    return drawn


def _choice_table(
    prompts: pa.Array,
    sizes: NDArray[np.intp],
    graded: pa.Table,
    chosen: NDArray[np.intp],
    rejected: pa.Array,
    below: NDArray[np.float64],
) -> pa.Table:
    values = np.column_stack([graded[name].to_numpy() for name in ATTRIBUTES])
    starts = np.arange(0, values.size + 1, len(ATTRIBUTES), dtype=np.int32)
    answers = pa.StructArray.from_arrays(
        [
            graded["answer_id"].combine_chunks(),
            pa.ListArray.from_arrays(starts, pa.array(values.ravel())),
            graded["quality"].combine_chunks(),
        ],
        fields=list(GRADED),
    )
    columns = {
        "prompt_id": prompts,
        "graded": pa.ListArray.from_arrays(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32), answers),
        "chosen_id": graded["answer_id"].take(pa.array(chosen)),
        "rejected_id": graded["answer_id"].take(rejected),
        "gap": pa.array(below).take(rejected),
    }
    return pa.table(columns, schema=CHOICES)
