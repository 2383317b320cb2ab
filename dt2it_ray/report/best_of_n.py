"""How the curve of best-of-N looks: quality against n and KL, beside the best and a random answer, as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup

from dt2it_ray.report.axes import Scale, ticks
from dt2it_ray.report.svg import line, picture, tag, text

WIDTH, HEIGHT = 440.0, 260.0
LINES = (("oracle", "grey"), ("picked", "curated"), ("random", "grey"))
Point = Mapping[str, Any]


@dataclass(frozen=True)
class Frame:
    """The scales of one drawing."""

    across: Scale
    up: Scale


def build_curve_page(told: Mapping[str, Any]) -> str:
    """The page of one measurement as HTML that loads nothing."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dt2it_ray.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = [
        (words, curve_plot(told["curve"], key, words))
        for key, words in (("n", "n"), ("kl", "KL in nats"))
        if told["curve"]
    ]
    return environment.get_template("best_of_n.html").render(told=told, pictures=pictures)


def curve_plot(curve: Sequence[Point], key: str, words: str) -> Markup:
    """Quality of the pick with its band, of the best answer and of a random one, over a column of the curve."""
    frame = _frame(curve, key)
    parts = [_axes(frame), _band(curve, key, frame)]
    for name, kind in LINES:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (_at(point, key, name, frame) for point in curve))
        parts.append(tag("polyline", points=places, fill="none", class_=f"curve {kind}"))
        x, y = _at(curve[-1], key, name, frame)
        parts.append(text(x + 4, y + 4, name, "label"))
    parts.append(text((frame.across.start + frame.across.end) / 2, HEIGHT - 4, words, "label", "middle"))
    last = curve[-1]
    said = ", ".join(f"{name} {last[name]['value']:.4g}" for name, _ in LINES)
    return picture(WIDTH, HEIGHT, f"Quality against {words}; at n = {last['n']}: {said}", *parts)


def _frame(curve: Sequence[Point], key: str) -> Frame:
    values = [value for point in curve for name, _ in LINES for value in _ends(point[name])]
    low, high = min(values), max(values)
    room = (high - low or 1.0) * 0.05
    most = max(curve[-1][key], curve[0][key] + 1e-9)
    return Frame(Scale(curve[0][key], most, 56, WIDTH - 60), Scale(low - room, high + room, HEIGHT - 40, 12))


def _ends(told: Mapping[str, Any]) -> list[float]:
    return [told["value"], *(told["interval"] or ())]


def _at(point: Point, key: str, name: str, frame: Frame) -> tuple[float, float]:
    return frame.across.at(point[key]), frame.up.at(point[name]["value"])


def _axes(frame: Frame) -> Markup:
    across, up = frame.across, frame.up
    parts = [
        line(across.start, up.at(value), across.end, up.at(value), "rule")
        + text(across.start - 6, up.at(value) + 4, f"{value:g}", "tick", "end")
        for value in ticks(up.low, up.high)
    ]
    parts += [
        text(across.at(value), up.start + 16, f"{value:g}", "tick", "middle")
        for value in ticks(across.low, across.high)
    ]
    return Markup("").join(parts)


def _band(curve: Sequence[Point], key: str, frame: Frame) -> Markup:
    """The interval of the pick as an area; empty where there is none."""
    shown = [point for point in curve if point["picked"]["interval"]]
    edges = [[(frame.across.at(p[key]), frame.up.at(p["picked"]["interval"][side])) for p in shown] for side in (0, 1)]
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*edges[0], *reversed(edges[1])))
    return tag("polygon", points=places, class_="band") if shown else Markup("")
