"""How good the models are, as the page shows it: a plot per benchmark and one table with every figure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from dt2it_ray.report.plots import Measured, accuracy_plot

BASELINE = "raw_baseline"
Figures = Mapping[str, Mapping[str, Any]]
"""The figures of one benchmark by model."""


@dataclass(frozen=True)
class Cell:
    """One accuracy in a table: the value, its interval and the pairs it stands on; empty where not measured."""

    value: str = ""
    interval: str = ""
    pairs: str = ""


@dataclass(frozen=True)
class Line:
    """One row of a table: a heading and a cell per model."""

    heading: str
    cells: Sequence[Cell]

    @property
    def pairs(self) -> str:
        """On how many pairs the row stands; empty if no cell tells."""
        return next((cell.pairs for cell in self.cells if cell.pairs), "")


@dataclass(frozen=True)
class Benchmark:
    """One benchmark: its plot, and its table with the total first and the categories after it."""

    name: str
    plot: Markup
    total: Line
    categories: Sequence[Line]
    further: Sequence[Line]


FURTHER = {
    "macro_accuracy": "mean of categories",
    "acc_plus": "Acc+ (whole groups right)",
    "accuracy_ties_half": "ties count half",
    "longer_wins": "for comparison: the longer answer wins",
    "shorter_wins": "for comparison: the shorter answer wins",
}
COUNTS = {"ties": "ties, which count as wrong", "unscored": "pairs without a score, which count as wrong"}
MEANS = {"mean_accuracy": "Mean of the benchmarks", "pooled_accuracy": "All pairs of all benchmarks"}


def models_measured(summary: Mapping[str, Any]) -> list[str]:
    """Models that were measured: the raw-data baseline first, then the iterations."""
    return sorted(summary.get("benchmarks", {}), key=lambda model: (model != BASELINE, model))


def mean_lines(summary: Mapping[str, Any]) -> list[Line]:
    """The accuracy of every model over all benchmarks: each benchmark weighs the same, or each pair does."""
    told = [summary["benchmarks"][model] for model in models_measured(summary)]
    return _share_lines(MEANS, told)


def benchmarks_of(summary: Mapping[str, Any]) -> list[Benchmark]:
    """Every benchmark of a summary that some model was measured on, by name."""
    models = models_measured(summary)
    told = {model: summary["benchmarks"][model] for model in models}
    names = sorted({name for figures in told.values() for name, value in figures.items() if isinstance(value, Mapping)})
    low = _scale_start([figures[name] for figures in told.values() for name in names if name in figures])
    return [_benchmark(name, {model: told[model].get(name, {}) for model in models}, low) for name in names]


def _benchmark(name: str, figures: Figures, low: float) -> Benchmark:
    measured = [_measured(model, told) for model, told in figures.items() if "accuracy" in told]
    reference = figures.get(BASELINE, {}).get("accuracy")
    categories = sorted({category for told in figures.values() for category in told.get("categories", {})})
    return Benchmark(
        name=name,
        plot=accuracy_plot(name, measured, low, reference),
        total=Line("All pairs", [_cell(told) for told in figures.values()]),
        categories=[
            Line(category, [_cell(told.get("categories", {}).get(category, {})) for told in figures.values()])
            for category in categories
        ],
        further=_share_lines(FURTHER, list(figures.values())) + _count_lines(COUNTS, list(figures.values())),
    )


def _share_lines(headings: Mapping[str, str], told: Sequence[Mapping[str, Any]]) -> list[Line]:
    """A line per share that some model has."""
    shares = {heading: [_share(figures.get(name)) for figures in told] for name, heading in headings.items()}
    return [
        Line(heading, [Cell(_figure(share)) for share in row])
        for heading, row in shares.items()
        if any(share is not None for share in row)
    ]


def _count_lines(headings: Mapping[str, str], told: Sequence[Mapping[str, Any]]) -> list[Line]:
    """A line per count that some model has and that is not 0 for all of them."""
    counts = {heading: [figures.get(name) for figures in told] for name, heading in headings.items()}
    return [
        Line(heading, [Cell("" if count is None else f"{count:,}") for count in row])
        for heading, row in counts.items()
        if any(row)
    ]


def _measured(model: str, told: Mapping[str, Any]) -> Measured:
    low, high = told.get("interval") or (told["accuracy"], told["accuracy"])
    return Measured(model, told["accuracy"], low, high, "baseline" if model == BASELINE else "curated")


def _cell(told: Mapping[str, Any]) -> Cell:
    if told.get("accuracy") is None:
        return Cell()
    interval = "{:.3f} to {:.3f}".format(*told["interval"]) if told.get("interval") else ""
    return Cell(_figure(told["accuracy"]), interval, f"{told['n']:,}" if told.get("n") is not None else "")


def _share(value: Any) -> float | None:
    """A share given as a number, or as figures of which one is the accuracy."""
    if isinstance(value, Mapping):
        value = value.get("accuracy")
    return value if isinstance(value, int | float) else None


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _scale_start(told: Sequence[Mapping[str, Any]]) -> float:
    """Where the common scale of all plots starts: a tenth below the lowest whisker, 0.5 at most."""
    ends = [(figures.get("interval") or [figures["accuracy"]])[0] for figures in told if "accuracy" in figures]
    return max(0.0, min(0.5, math.floor(min(ends, default=0.5) * 10 - 1e-9) / 10))
