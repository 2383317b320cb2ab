"""How right a model is on each benchmark: the official figures beside intervals and length-only baselines."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from dt2it_ray.data.schema import BENCHMARK_ROWS, SCORES
from dt2it_ray.rules.benchmarks import CATEGORY_RULES, WITH_ACC_PLUS
from dt2it_ray.rules.metrics import (
    acc_plus,
    bootstrap_interval,
    credits_of,
    length_baselines,
    macro,
    measure,
    split_by,
)
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


def evaluate(tables: Mapping[str, pa.Table], settings: EvaluateSettings) -> Outcome:
    """A result per benchmark pair; figures by benchmark as metrics. A pair without a reward counts as wrong.

    Raises:
        StageFailed: a reward is NaN or infinite.
    """
    rows = tables["rows"].sort_by([("prompt_id", "ascending")]).to_pylist()
    rewards = dict(zip(*(tables["scores"][name].to_pylist() for name in ("answer_id", "score")), strict=True))
    labels = [row["labels"][0] for row in rows]
    chosen, rejected = ([rewards.get(label[side]) for label in labels] for side in ("chosen_id", "rejected_id"))
    credits = credits_of(chosen, rejected, [label["pair_id"] for label in labels]).tolist()
    results = [_result(*scored) for scored in zip(rows, chosen, rejected, credits, strict=True)]
    table = pa.Table.from_pylist(results, schema=RESULTS)
    figures = {}
    for name in sorted(set(table["benchmark"].to_pylist())):
        here = [place for place, result in enumerate(results) if result["benchmark"] == name]
        figures[name] = _figures(name, table.take(here), [_texts(rows[place]) for place in here], settings)
    return Outcome(table, metrics=figures)


def _result(row: Mapping[str, Any], chosen: float | None, rejected: float | None, credit: float) -> dict[str, Any]:
    rule = CATEGORY_RULES.get(row["source"])
    return {
        "pair_id": row["labels"][0]["pair_id"],
        "benchmark": row["source"],
        "item": row["item"],
        "category": rule(row["item"], row["category"]) if rule else row["category"],
        "group": row["group"],
        "chosen": chosen,
        "rejected": rejected,
        "credit": None if np.isnan(credit) else credit,
    }


def _texts(row: Mapping[str, Any]) -> tuple[str, str]:
    """The chosen and the rejected answer of a row."""
    text_of = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
    label = row["labels"][0]
    return text_of[label["chosen_id"]], text_of[label["rejected_id"]]


def _figures(name: str, results: pa.Table, texts: list[tuple[str, str]], settings: EvaluateSettings) -> dict[str, Any]:
    credits = pc.fill_null(results["credit"], float("nan")).to_numpy()
    total, parts = measure(credits), split_by(credits, results["category"].to_pylist())
    lengths = length_baselines(*zip(*texts, strict=True))
    return {
        **_share(credits, settings),
        "ties": total.tied,
        "unscored": total.unscored,
        "accuracy_ties_half": total.accuracy_ties_half,
        "macro_accuracy": macro({category: measure(part) for category, part in parts.items()}),
        "acc_plus": acc_plus(credits, results["group"].to_pylist()) if name in WITH_ACC_PLUS else None,
        "categories": {category: _share(part, settings) for category, part in parts.items()},
        **{baseline: entry.accuracy for baseline, entry in lengths.items()},
    }


def _share(credits: NDArray[np.float64], settings: EvaluateSettings) -> dict[str, Any]:
    """The accuracy over some pairs, its interval, and the counts that it stands on."""
    counts = measure(credits)
    return {
        "accuracy": counts.accuracy,
        "interval": bootstrap_interval(credits, settings.seed, settings.level, settings.samples),
        "n": counts.pairs,
        "correct": counts.right,
    }


READS = ("prompt_id", "source", "category", "answers", "labels", "item", "group")
EVALUATE = GatherStage(
    name="evaluate",
    version=2,
    reads={
        "rows": pa.schema([BENCHMARK_ROWS.field(name) for name in READS]),
        "scores": pa.schema([SCORES.field("answer_id"), SCORES.field("score")]),
    },
    writes=RESULTS,
    decide=evaluate,
)
