"""What a run measured of its judges and raters, and of the style of its pairs, for its report."""

from collections.abc import Mapping, Sequence
from typing import Any

from dt2it_ray.pipeline.run_record import ITERATION, RunRecord
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.report.content import Bias
from dt2it_ray.rules.style_features import FEATURES
from dt2it_ray.stages.reliability import MEASURES
from dt2it_ray.stages.style import STYLE_PROBE
from dt2it_ray.store.manifest import Manifest

MODES = {"rate": "granular", "rejudge": "of doubted pairs"}
"""What a judge is asked for, where the page has another word than the table."""
PANELS = {
    "listwise": ("construction", "listwise", "judges"),
    "pointwise": ("construction", "pointwise", "judges"),
    "rejudge": ("curate", "rejudge", "judges"),
    "rate": ("granular", "raters"),
}
"""Where the settings of a run name the judges of each mode."""

Judge = tuple[str, str]
"""The mode and the name of a judge."""


def judge_biases(record: RunRecord) -> list[Bias]:
    """Every figure of every judge and rater, step by step, then by their names; simulated ones are called so."""
    simulated = simulated_judges(record.settings)
    return [
        _bias(row, row["figure"], _raters(row, _iteration(manifest.step), simulated))
        for manifest in _made_by(record, *(stage.name for stage in MEASURES))
        for row in sorted(read_rows(record.run, manifest).to_pylist(), key=_by_raters)
    ]


def simulated_judges(settings: Mapping[str, Any]) -> set[Judge]:
    """The judges and raters without an engine, as the settings of a run name them."""
    return {
        (mode, judge["name"])
        for mode, place in PANELS.items()
        for judge in _at(settings, place) or ()
        if judge["engine"] is None
    }


def _at(settings: Any, place: Sequence[str]) -> Any:
    """What stands in nested settings at a place; None where they do not have it."""
    for name in place:
        settings = (settings or {}).get(name)
    return settings


def style_biases(record: RunRecord) -> list[Bias]:
    """Every figure of the style of every set of pairs, the features in their own order, then the origins."""
    order = {name: place for place, name in enumerate(FEATURES)}
    rows = [row for made in _made_by(record, STYLE_PROBE.name) for row in read_rows(record.run, made).to_pylist()]
    rows.sort(key=lambda row: (row["feature"] is not None, order.get(row["feature"], len(order)), row["feature"] or ""))
    return [_bias(row, row["figure"], row["pair_set"], row["feature"] or "") for row in rows]


def _made_by(record: RunRecord, *stages: str) -> list[Manifest]:
    """The finished steps of these stages, in the order of the plan."""
    made = (record.manifests.get(entry["step"]) for entry in record.plan if entry["stage"] in stages)
    return [manifest for manifest in made if manifest]


def _bias(row: Mapping[str, Any], figure: str, about: str, feature: str = "") -> Bias:
    told = {name: row[name] for name in ("source", "value", "low", "high", "n", "note")}
    return Bias(figure=figure, about=about, feature=feature, **told)


def _raters(row: Mapping[str, Any], iteration: str, simulated: set[Judge]) -> str:
    """The one judge, both judges, or all of a mode, and in which iteration."""
    judges = [(row[f"{side}mode"], row[f"{side}judge"]) for side in ("", "other_") if row[f"{side}judge"]]
    named = [f"{name} {MODES.get(mode, mode)}" for mode, name in judges]
    if not judges:
        named = [f"all judges, {MODES.get(row['mode'], row['mode'])}" if row["mode"] else "all judges"]
    marks = [iteration, "simulated" if judges and simulated.issuperset(judges) else ""]
    told = ", ".join(filter(None, marks))
    return " and ".join(named) + (f" ({told})" if told else "")


def _iteration(step: str) -> str:
    """The iteration that a step is of; empty for the construction."""
    found = ITERATION.match(step)
    return found.group() if found else ""


def _by_raters(row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("judge", "mode", "other_judge", "other_mode", "figure", "source")
    return (row["judge"] is None, *(row[name] or "" for name in names))
