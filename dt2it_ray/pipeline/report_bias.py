"""What a run measured of its judges and of the style of its pairs, for its report."""

from collections.abc import Mapping
from typing import Any

from dt2it_ray.pipeline.run_record import RunRecord
from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.report.content import Bias
from dt2it_ray.rules.style_features import FEATURES
from dt2it_ray.stages.reliability import RELIABLE
from dt2it_ray.stages.stage import Stage
from dt2it_ray.stages.style import STYLE_PROBE


def judge_biases(record: RunRecord) -> list[Bias]:
    """Every figure of every judge, by names of the judges."""
    rows = _rows_of(record, RELIABLE)
    return [_bias(row, row["figure"], _raters(row)) for row in sorted(rows, key=_by_raters)]


def style_biases(record: RunRecord) -> list[Bias]:
    """Every figure of the style of every set of pairs, the features in their own order, then the origins."""
    order = {name: place for place, name in enumerate(FEATURES)}
    rows = _rows_of(record, STYLE_PROBE)
    rows.sort(key=lambda row: (row["feature"] is not None, order.get(row["feature"], len(order)), row["feature"] or ""))
    return [_bias(row, row["figure"], row["pair_set"], row["feature"] or "") for row in rows]


def _rows_of(record: RunRecord, stage: Stage) -> list[dict[str, Any]]:
    made = (record.manifests.get(entry["step"]) for entry in record.plan if entry["stage"] == stage.name)
    return [row for manifest in made if manifest for row in read_rows(record.run, manifest).to_pylist()]


def _bias(row: Mapping[str, Any], figure: str, about: str, feature: str = "") -> Bias:
    told = {name: row[name] for name in ("source", "value", "low", "high", "n", "note")}
    return Bias(figure=figure, about=about, feature=feature, **told)


def _raters(row: Mapping[str, Any]) -> str:
    """The one judge, both judges, or all of a mode."""
    sides = (" ".join(filter(None, (row[f"{side}judge"], row[f"{side}mode"]))) for side in ("", "other_"))
    if row["judge"] is None:
        return f"all judges, {row['mode']}" if row["mode"] else "all judges"
    return " and ".join(filter(None, sides))


def _by_raters(row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("judge", "mode", "other_judge", "other_mode", "figure", "source")
    return (row["judge"] is None, *(row[name] or "" for name in names))
