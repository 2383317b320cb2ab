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
    """One accuracy in a table: the value, its 95 % interval and the pairs it stands on; empty where not measured."""

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


def models_measured(summary: Mapping[str, Any]) -> list[str]:
    """Models that were measured: the raw-data baseline first, then the iterations."""
    return sorted(summary.get("benchmarks", {}), key=lambda model: (model != BASELINE, model))


def mean_line(summary: Mapping[str, Any]) -> Line:
    """The mean accuracy of every model over the benchmarks."""
    told = summary.get("benchmarks", {})
    means = [told[model].get("mean_accuracy") for model in models_measured(summary)]
    return Line("Mean", [Cell(_figure(mean)) for mean in means])


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
        further=[
            Line(words, [Cell(_figure(_share(told.get(key)))) for told in figures.values()])
            for key, words in FURTHER.items()
            if any(_share(told.get(key)) is not None for told in figures.values())
        ],
    )


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
