"""How a data set of preferences is shown: its counts, lengths and strengths, and some of its pairs, on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from dt2it_ray.report.build import page_environment
from dt2it_ray.report.plots import Series, histogram_plot
from dt2it_ray.report.thumbnails import data_uri


@dataclass(frozen=True)
class Sample:
    """One pair to show: the columns of a row, and its images' bytes where they could be opened."""

    row: Mapping[str, Any]
    images: Sequence[bytes | None]


@dataclass(frozen=True)
class Inspection:
    """All that the page shows."""

    name: str
    form: str
    columns: Sequence[tuple[str, str]]
    """Names and types, in order."""
    figures: Mapping[str, Any]
    lengths: Mapping[str, np.ndarray]
    """Characters by text."""
    strengths: np.ndarray
    refused: Mapping[str, int]
    """Rows by reason."""
    samples: Sequence[Sample]


def build_inspection(shown: Inspection) -> str:
    """The page as HTML that loads nothing; every text of the data set is escaped."""
    samples = [(each.row, [data_uri(image) if image else None for image in each.images]) for each in shown.samples]
    tables = [(name, _rows(shown.figures[key])) for name, key in TABLES if shown.figures[key]]
    template = page_environment().get_template("inspection.html")
    return template.render(shown=shown, figures=shown.figures, plots=_plots(shown), tables=tables, samples=samples)


ANSWERS = (("chosen", "right"), ("rejected", "wrong"))
"""Texts and the classes of their colours."""
TABLES = (
    ("Data set", "by_source"),
    ("Language", "by_language"),
    ("Category", "by_category"),
    ("Images of a prompt", "by_images"),
    ("Turns before the question", "by_turns_before"),
)


def _rows(counts: Mapping[str, int]) -> list[tuple[str, int, float]]:
    total = sum(counts.values())
    return [(name or "not told", number, number / total) for name, number in counts.items()]


def _plots(shown: Inspection) -> list[tuple[str, Markup]]:
    answers = [Series(class_, shown.lengths[name].astype(float)) for name, class_ in ANSWERS]
    drawn = [
        ("Length of answers: chosen grey, rejected in colour", "characters", answers),
        ("Length of questions", "characters", [Series("right", shown.lengths["question"].astype(float))]),
        ("Strength, in the unit of the data set", "strength", [Series("right", shown.strengths)]),
    ]
    plots = [(title, histogram_plot(title, label, series)) for title, label, series in drawn]
    return [(title, plot) for title, plot in plots if plot]
