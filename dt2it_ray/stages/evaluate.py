"""How right a model is on each benchmark: the official figures beside intervals and length-only baselines."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.schema import BENCHMARK_ROWS, SCORES
from dt2it_ray.rules.benchmark_figures import ScoredPairs, benchmark_figures
from dt2it_ray.rules.benchmarks import category_of
from dt2it_ray.rules.intervals import Resampling
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import GatherStage, Outcome

RESULTS = pa.schema(
    [
        ("pair_id", pa.string()),
        ("benchmark", pa.string()),
        ("item", pa.string()),
        ("category", pa.string()),
        ("group", pa.string()),
        ("chosen", pa.float64()),
        ("rejected", pa.float64()),
        ("credit", pa.float64()),
    ]
)
"""One benchmark pair: both rewards, and 1 for right, 0.5 for a tie, 0 for wrong, null where a reward is missing."""


class EvaluateSettings(Settings):
    """How figures are computed."""

    level: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the bootstrap intervals."""
    samples: int = Field(default=10_000, ge=100)
    """Bootstrap samples."""
    seed: int = 0

    def resampling(self) -> Resampling:
        """The same as plain values."""
        return Resampling(samples=self.samples, level=self.level, seed=self.seed)


def evaluate(tables: Mapping[str, pa.Table], settings: EvaluateSettings) -> Outcome:
    """A result per benchmark pair; figures by benchmark as metrics. A pair without a reward counts as wrong.

    Raises:
        StageFailed: a reward is NaN or infinite.
    """
    rows = tables["rows"].sort_by([("prompt_id", "ascending")]).to_pylist()
    rewards = dict(zip(*(tables["scores"][name].to_pylist() for name in ("answer_id", "score")), strict=True))
    results, figures = [], {}
    for name in sorted({row["source"] for row in rows}):
        here = [row for row in rows if row["source"] == name]
        pairs = _scored(here, rewards)
        figures[name] = benchmark_figures(name, pairs, settings.resampling())
        results += _results(here, pairs)
    table = pa.Table.from_pylist(results, schema=RESULTS)
    return Outcome(table.sort_by([("pair_id", "ascending")]), metrics=figures)


def _scored(rows: Sequence[Mapping[str, Any]], rewards: Mapping[str, float]) -> ScoredPairs:
    labels = [row["labels"][0] for row in rows]
    return ScoredPairs(
        names=[label["pair_id"] for label in labels],
        categories=[category_of(row["source"], row["item"], row["category"]) for row in rows],
        groups=[row["group"] for row in rows],
        chosen=[rewards.get(label["chosen_id"]) for label in labels],
        rejected=[rewards.get(label["rejected_id"]) for label in labels],
        lengths=np.array([_lengths(row) for row in rows], np.int64).reshape(-1, 2),
    )


def _lengths(row: Mapping[str, Any]) -> tuple[int, int]:
    """Characters of the chosen and the rejected answer of a row."""
    length_of = {answer["answer_id"]: len(answer["text"]) for answer in row["answers"]}
    label = row["labels"][0]
    return length_of[label["chosen_id"]], length_of[label["rejected_id"]]


def _results(rows: Sequence[Mapping[str, Any]], pairs: ScoredPairs) -> list[dict[str, Any]]:
    credits = pairs.credits().tolist()
    return [
        {
            "pair_id": pairs.names[place],
            "benchmark": row["source"],
            "item": row["item"],
            "category": pairs.categories[place],
            "group": row["group"],
            "chosen": pairs.chosen[place],
            "rejected": pairs.rejected[place],
            "credit": None if np.isnan(credits[place]) else credits[place],
        }
        for place, row in enumerate(rows)
    ]


READS = ("prompt_id", "source", "category", "answers", "labels", "item", "group")
EVALUATE = GatherStage(
    name="evaluate",
    version=3,
    reads={
        "rows": pa.schema([BENCHMARK_ROWS.field(name) for name in READS]),
        "scores": pa.schema([SCORES.field("answer_id"), SCORES.field("score")]),
    },
    writes=RESULTS,
    decide=evaluate,
)
