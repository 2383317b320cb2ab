"""How evaluated models stand beside published ones: one self-contained page, with sources and what differs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from dt2it_ray.report.axes import Scale
from dt2it_ray.report.evaluation_text import interval, models_of, share, size_in_words, warnings
from dt2it_ray.report.svg import line, picture, tag

WIDTH, HEIGHT = 180.0, 16.0
Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """One line of a leaderboard: shares from 0 to 1, ends of the interval where somebody computed one."""

    model: str
    accuracy: float | None
    interval: Sequence[float] | None = None
    macro: float | None = None
    acc_plus: float | None = None
    pairs: int | None = None
    source: str = ""
    protocol: str = ""
    measured: bool = False
    """Whether it was measured here, not read in a paper."""


@dataclass(frozen=True)
class Board:
    """One benchmark: its lines, best first, and the figures behind those measured here."""

    name: str
    note: str
    entries: Sequence[Entry]
    result: Figures
    models: Mapping[str, Figures]
    warnings: Sequence[str]
    scale: Scale


def build_leaderboard(results: Sequence[Figures]) -> str:
    """The page as HTML, one section per result. No script, no request; every text of a file is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dt2it_ray.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": share, "interval": interval, "count": lambda number: f"{number:,}"}
    environment.filters |= {"in_words": size_in_words, "curve": reliability_plot}
    boards = [board_of(result) for result in results]
    return environment.get_template("leaderboard.html").render(boards=boards, dot=dot_plot)


def board_of(result: Figures) -> Board:
    """The lines of one benchmark: models measured here and those in the data file of published figures."""
    known = published().get(result["benchmark"], {"note": "", "figures": ()})
    models = models_of(result)
    entries = [_measured(name, figures) for name, figures in models.items()]
    entries += [_published(figure) for figure in known["figures"]]
    entries.sort(key=lambda entry: (-(entry.accuracy or 0), entry.model))
    lows = [entry.interval[0] if entry.interval else entry.accuracy or 0 for entry in entries]
    return Board(
        name=result["benchmark"],
        note=known["note"],
        entries=entries,
        result=result,
        models=models,
        warnings=warnings(result),
        scale=Scale(min(0.5, int(10 * min(lows)) / 10), 1.0, 6, WIDTH - 6),
    )


def published() -> dict[str, Any]:
    """Published figures by benchmark, in percent, with their sources and protocols."""
    return json.loads(files("dt2it_ray.report").joinpath("templates/published.json").read_text(encoding="utf-8"))


def dot_plot(entry: Entry, scale: Scale) -> Markup:
    """The accuracy as a dot, with whiskers where there is an interval, on the benchmark's scale."""
    if entry.accuracy is None:
        return Markup("")
    kind = "curated" if entry.measured else "baseline"
    middle = HEIGHT / 2
    parts = [line(scale.start, middle, scale.end, middle, "rule")]
    if entry.interval:
        parts.append(line(scale.at(entry.interval[0]), middle, scale.at(entry.interval[1]), middle, f"whisker {kind}"))
    parts.append(tag("circle", cx=scale.at(entry.accuracy), cy=middle, r=4, class_=f"dot {kind}"))
    return picture(WIDTH, HEIGHT, f"{entry.model}: {share(entry.accuracy)}", *parts)


def reliability_plot(calibration: Figures) -> Markup:
    """Accuracy against confidence: a dot per bin, as large as the bin is full, and the line of a calibrated model."""
    side, bins = 220.0, [entry for entry in calibration["curve"] if entry["n"]]
    across, up = Scale(0.5, 1.0, 30, side - 10), Scale(0.0, 1.0, side - 30, 10)
    parts = [line(across.at(0.5), up.at(0.5), across.at(1.0), up.at(1.0), "reference")]
    most = max((entry["n"] for entry in bins), default=1)
    for entry in bins:
        radius = 2 + 5 * (entry["n"] / most) ** 0.5
        place = {"cx": across.at(entry["confidence"]), "cy": up.at(entry["accuracy"])}
        parts.append(tag("circle", **place, r=radius, class_="dot curated"))
    for value in (0.5, 0.75, 1.0):
        parts.append(tag("text", f"{value:g}", x=across.at(value), y=side - 12, text_anchor="middle", class_="tick"))
    for value in (0.0, 0.5, 1.0):
        parts.append(tag("text", f"{value:g}", x=24, y=up.at(value) + 4, text_anchor="end", class_="tick"))
    told = ", ".join(f"{share(e['confidence'])} sure: {share(e['accuracy'])} right of {e['n']}" for e in bins)
    return picture(side, side, f"Accuracy against confidence: {told}", *parts)


def _measured(name: str, figures: Figures) -> Entry:
    return Entry(
        model=name,
        accuracy=figures["accuracy"],
        interval=figures["interval"],
        macro=figures["macro_accuracy"],
        acc_plus=figures["acc_plus"],
        pairs=figures["n"],
        source="measured here",
        protocol=KINDS[figures["kind"]],
        measured=True,
    )


KINDS = {
    "predictions": "rewards from a file; strict >, ties are wrong",
    "reward_model": "scalar reward; strict >, ties are wrong",
    "judge": "generative judge in both orders; majority of its verdicts, ties and unparsable ones are wrong",
}
"""How figures were got, in words."""


def _published(figure: Figures) -> Entry:
    return Entry(
        model=figure["model"],
        accuracy=figure["value"] / 100,
        acc_plus=figure["acc_plus"] / 100 if "acc_plus" in figure else None,
        source=figure["source"],
        protocol=figure["protocol"],
    )
