"""How often the chosen answer of a pair is truly the better one, where the truth is planted (embedded world only)."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.answer_tables import LABEL_TRUTH
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.intervals import Estimate, Resampling, estimate_share

NO_PAIRS = "no_pairs"


@dataclass(frozen=True)
class LabelPrecision:
    """Pairs whose chosen answer is truly better, as good, or worse, and shares of them with intervals over prompts."""

    better: int
    equal: int
    worse: int
    precision: Estimate
    """Part of all pairs whose chosen answer is truly better."""
    precision_of_unequal: Estimate
    """The same of the pairs whose answers are not equally good."""


def label_truth(pairs: pa.Table, grades: pa.Table) -> pa.Table:
    """LABEL_TRUTH of PAIRS, sorted by pair, by PLANTED_GRADES of all their answers.

    Raises:
        StageFailed: an answer has no grade.
    """
    known = grades["answer_id"].combine_chunks()
    quality = grades["quality"].combine_chunks()
    sides = []
    for side in ("chosen_id", "rejected_id"):
        place = pc.index_in(pairs[side], value_set=known)
        if place.null_count:
            unknown = pairs[side].filter(pc.is_null(place))[0].as_py()
            raise StageFailed(f"answer {unknown} has no planted grade; grade the candidates that the pairs are of")
        sides.append(quality.take(place.combine_chunks()))
    margin = pc.subtract(*sides)
    truth = pc.if_else(pc.greater(margin, 0), "better", pc.if_else(pc.less(margin, 0), "worse", "equal"))
    columns = {"pair_id": pairs["pair_id"], "prompt_id": pairs["prompt_id"], "truth": truth, "margin": margin}
    return pa.table(columns, schema=LABEL_TRUTH).sort_by("pair_id")


def label_precision(truth: pa.Table, how: Resampling) -> LabelPrecision:
    """The counts and shares of LABEL_TRUTH."""
    margin = truth["margin"].to_numpy()
    prompts = pc.dictionary_encode(truth["prompt_id"]).combine_chunks().indices.to_numpy() if truth.num_rows else []
    places, better, unequal = np.asarray(prompts, np.int64), (margin > 0).astype(float), margin != 0
    return LabelPrecision(
        better=int((margin > 0).sum()),
        equal=int((margin == 0).sum()),
        worse=int((margin < 0).sum()),
        precision=estimate_share(better, places, how, NO_PAIRS),
        precision_of_unequal=estimate_share(better[unequal], places[unequal], how, NO_PAIRS),
    )
