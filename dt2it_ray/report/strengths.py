"""How strengths are shown: a histogram of what the voters or the judges said, with its figures in a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from dt2it_ray.report.content import Strengths
from dt2it_ray.report.plots import Series, histogram_plot


@dataclass(frozen=True)
class Group:
    """The figures of one kind of pairs: its name, colour class, size and spread."""

    name: str
    class_: str
    pairs: int
    negative: int
    quartiles: tuple[float, float, float]


@dataclass(frozen=True)
class Panel:
    """One histogram with its heading and table."""

    heading: str
    plot: Markup
    groups: Sequence[Group]


def pool_panel(strengths: Strengths) -> Panel | None:
    """What the voters of one iteration say of the labels, wrong and right ones apart; None without strengths."""
    values = strengths.strengths.to_numpy()
    kinds = [
        ("planted wrong", "wrong", pc.equal(strengths.planted, True)),
        ("planted right", "right", pc.equal(strengths.planted, False)),
        ("truth not known", "unknown", pc.is_null(strengths.planted)),
    ]
    chosen = [(name, class_, values[pc.fill_null(mask, False).to_numpy()]) for name, class_, mask in kinds]
    # The right labels are many: drawn first, they do not hide the wrong ones.
    ordered = sorted(chosen, key=lambda kind: kind[1] == "wrong")
    described = f"Strength of the labels of the pool in {strengths.name}"
    x_label = "strength: score of the labelled answer minus the other"
    return _panel(strengths.name, described, x_label, ordered, strengths.threshold)


def constructed_panel(strengths: pa.ChunkedArray) -> Panel | None:
    """How far apart the judges put the answers of the constructed pairs; None if there are none."""
    values = strengths.to_numpy()
    described = "Strength of the constructed pairs"
    return _panel("Constructed pairs", described, "strength: gap between overall scores", [("all", "right", values)])


def _panel(
    heading: str,
    described: str,
    x_label: str,
    kinds: Sequence[tuple[str, str, np.ndarray]],
    threshold: float | None = None,
) -> Panel | None:
    finite = [(name, class_, values[np.isfinite(values.astype(float))]) for name, class_, values in kinds]
    groups = [_group(*kind) for kind in finite if kind[2].size]
    if not groups:
        return None
    spread = "; ".join(f"{g.name}: {g.pairs:,} pairs, {g.negative:,} negative" for g in groups)
    marked = "" if threshold is None else f"; threshold {threshold:.2f}"
    series = [Series(class_, values) for _, class_, values in finite if values.size]
    plot = histogram_plot(f"{described}. {spread}{marked}", x_label, series, threshold)
    return Panel(heading, plot, groups)


def _group(name: str, class_: str, values: np.ndarray) -> Group:
    low, middle, high = (float(value) for value in np.percentile(values, [25, 50, 75]))
    return Group(name, class_, len(values), int((values < 0).sum()), (low, middle, high))
