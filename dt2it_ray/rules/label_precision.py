"""How often the chosen answer of a pair is truly the better one, where the truth is planted (embedded world only)."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.answer_tables import LABEL_TRUTH
from dt2it_ray.errors import StageFailed


@dataclass(frozen=True)
class LabelPrecision:
    """Pairs whose chosen answer is truly better, as good, or worse."""

    better: int
    equal: int
    worse: int

    @property
    def precision(self) -> float | None:
        """Part of all pairs whose chosen answer is truly better; None without pairs."""
        pairs = self.better + self.equal + self.worse
        return self.better / pairs if pairs else None

    @property
    def precision_of_unequal(self) -> float | None:
        """The same of the pairs whose answers are not equally good."""
        unequal = self.better + self.worse
        return self.better / unequal if unequal else None


def label_truth(pairs: pa.Table, grades: pa.Table) -> pa.Table:
    """LABEL_TRUTH of pairs (pair_id, chosen_id, rejected_id), sorted by pair, by PLANTED_GRADES of all their answers.

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
    columns = {"pair_id": pairs["pair_id"].combine_chunks(), "truth": truth, "margin": margin}
    return pa.table(columns, schema=LABEL_TRUTH).sort_by("pair_id")


def label_precision(truth: pa.Table) -> LabelPrecision:
    """The counts of LABEL_TRUTH."""
    counts = (pc.sum(pc.equal(truth["truth"], kind)).as_py() or 0 for kind in ("better", "equal", "worse"))
    return LabelPrecision(*counts)
