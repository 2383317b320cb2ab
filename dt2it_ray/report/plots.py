"""How figures are drawn: accuracies with their intervals, strengths as histograms."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from dt2it_ray.report.axes import Scale, horizontal_axis, ticks
from dt2it_ray.report.svg import line, picture, tag, text

WIDTH = 440.0
ROW = 30.0
BINS = 40
TAIL_PERCENT = 0.5
"""Share of values at each end that a histogram gathers in its outermost bars, so that one outlier hides nothing."""


@dataclass(frozen=True)
class Measured:
    """An accuracy with its interval (equal to the value where nobody computed one)."""

    label: str
    value: float
    low: float
    high: float
    class_: str


@dataclass(frozen=True)
class Series:
    """Numbers of one kind, drawn in the colour of their class."""

    class_: str
    values: np.ndarray


def accuracy_plot(title: str, measured: Sequence[Measured], low: float, reference: float | None = None) -> Markup:
    """One dot with whiskers per model, on a scale from `low` to 1; a dashed rule marks the `reference`."""
    left, bottom = 104.0, 12 + ROW * len(measured)
    scale = Scale(low, 1.0, left, WIDTH - 48)
    parts = [horizontal_axis(scale, 8, bottom)]
    if reference is not None:
        parts.append(line(scale.at(reference), 8, scale.at(reference), bottom, "reference"))
    parts += [_dot(point, scale, 12 + ROW * (index + 0.5)) for index, point in enumerate(measured)]
    told = ", ".join(f"{p.label} {p.value:.3f} ({p.low:.3f} to {p.high:.3f})" for p in measured)
    return picture(WIDTH, bottom + 22, f"Accuracy on {title}: {told}", *parts)


def _dot(point: Measured, scale: Scale, y: float) -> Markup:
    low, high = scale.at(point.low), scale.at(point.high)
    return Markup("").join(
        [
            text(96, y + 4, point.label, "label", "end"),
            line(low, y, high, y, f"whisker {point.class_}"),
            line(low, y - 4, low, y + 4, f"whisker {point.class_}"),
            line(high, y - 4, high, y + 4, f"whisker {point.class_}"),
            tag("circle", cx=scale.at(point.value), cy=y, r=5, class_=f"dot {point.class_}"),
            text(WIDTH - 40, y + 4, f"{point.value:.3f}", "value"),
        ]
    )


def histogram_plot(description: str, x_label: str, series: Sequence[Series], mark: float | None = None) -> Markup:
    """Overlaid histograms on shared bins; `mark` draws a labelled rule. Empty if there is nothing to count."""
    finite = [group.values[np.isfinite(group.values)] for group in series]
    pooled = np.concatenate(finite) if finite else np.empty(0)
    if not pooled.size:
        return Markup("")
    edges = _edges(pooled)
    counts = [np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] for values in finite]
    top, bottom = 18.0, 168.0
    across = Scale(edges[0], edges[-1], 44, WIDTH - 12)
    up = Scale(0, max(1, int(max(count.max() for count in counts))), bottom, top)
    parts = [_count_axis(up), horizontal_axis(across, bottom, bottom + 3)]
    parts += [_bars(group.class_, count, edges, across, up) for group, count in zip(series, counts, strict=True)]
    if edges[0] < 0 < edges[-1]:
        parts.append(line(across.at(0), top, across.at(0), bottom, "zero"))
    if mark is not None:
        parts.append(_mark(across.at(mark), top, bottom, f"threshold {mark:.2f}"))
    parts.append(text((44 + WIDTH - 12) / 2, bottom + 34, x_label, "label", "middle"))
    return picture(WIDTH, bottom + 42, description, *parts)


def _mark(x: float, top: float, bottom: float, words: str) -> Markup:
    """A labelled rule; its words stand on the side that has room."""
    leftwards = x > WIDTH / 2
    label = text(x - 5 if leftwards else x + 5, top - 4, words, "mark-label", "end" if leftwards else "start")
    return line(x, top - 12, x, bottom, "mark") + label


def _edges(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, [TAIL_PERCENT, 100 - TAIL_PERCENT])
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BINS + 1)


def _count_axis(up: Scale) -> Markup:
    """Faint rules at round whole numbers."""
    return Markup("").join(
        line(44, up.at(value), WIDTH - 12, up.at(value), "rule")
        + text(40, up.at(value) + 4, f"{value:,.0f}", "tick", "end")
        for value in ticks(0, up.high, 3)
        if value == int(value)
    )


def _bars(class_: str, counts: np.ndarray, edges: np.ndarray, across: Scale, up: Scale) -> Markup:
    bars = [
        tag("rect", x=across.at(a), y=up.at(n), width=across.at(b) - across.at(a), height=up.start - up.at(n))
        for (a, b), n in zip(pairwise(edges.tolist()), counts.tolist(), strict=True)
        if n
    ]
    return tag("g", *bars, class_=f"bars {class_}")
