"""How the page is put together: records become one HTML file that loads nothing from anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import jinja2

from dt2it_ray.report.accuracy import benchmarks_of, mean_lines, models_measured
from dt2it_ray.report.content import Example, ReportContent, Truth
from dt2it_ray.report.headlines import duration, headlines
from dt2it_ray.report.loop import round_picture, start_picture
from dt2it_ray.report.reliability import judge_grids, style_grids
from dt2it_ray.report.strengths import constructed_panel, pool_panel
from dt2it_ray.report.thumbnails import data_uri

ACTIONS = ("kept", "flipped", "dropped")
RULES = {
    "consistent": "the consistency model confirms it",
    "votes": "the judges' majority",
    "votes_tied": "the judges are split evenly",
    "too_few_votes": "too few valid votes",
}
"""Rules in words; a rule not named here is shown by its name."""


@dataclass(frozen=True)
class Fate:
    """Example pairs that ended alike, with their images as data: URIs (None if one cannot be decoded)."""

    name: str
    examples: Sequence[tuple[Example, Sequence[str | None]]]


def build_page(content: ReportContent) -> str:
    """The page as HTML: no script, no request, every text from a run escaped. Equal content gives equal bytes."""
    pools = [panel for panel in map(pool_panel, content.pool_strengths) if panel is not None]
    return (
        page_environment()
        .get_template("page.html")
        .render(
            content=content,
            summary=content.summary,
            headlines=headlines(content),
            start=start_picture(content.construction) if content.construction else None,
            rounds=[(entry, round_picture(entry)) for entry in content.rounds],
            models=models_measured(content.summary),
            means=mean_lines(content.summary),
            benchmarks=benchmarks_of(content.summary),
            pools=pools,
            constructed=constructed_panel(content.constructed_strengths),
            judges=judge_grids(content.reliability),
            styles=style_grids(content.style),
            level=content.settings.get("evaluate", {}).get("level"),
            truths=_by_iteration(content.truths),
            fates=_fates([example for curation in content.curations for example in curation.examples]),
            steps_wall_s=sum(step.wall_s for step in content.steps),
            actions=ACTIONS,
        )
    )


def page_environment() -> jinja2.Environment:
    """The templates of pages, with the filters that they use."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dt2it_ray.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["share"] = lambda share: "–" if share is None else f"{share:.1%}"
    environment.filters["duration"] = duration
    environment.filters["ruled"] = lambda rule: RULES.get(rule, rule)
    environment.filters["spoken"] = lambda name: str(name).replace("_", " ")
    return environment


def _by_iteration(truths: Sequence[Truth]) -> list[tuple[str, list[Truth]]]:
    names = dict.fromkeys(truth.name for truth in truths)
    return [(name, [truth for truth in truths if truth.name == name]) for name in names]


def _fates(examples: Sequence[Example]) -> list[Fate]:
    names = dict.fromkeys(example.fate for example in examples)
    return [
        Fate(name, [(e, [data_uri(image) for image in e.images]) for e in examples if e.fate == name]) for name in names
    ]
