"""How right the labels of several constructions are, over several worlds together, and by how much they differ."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from dt2it_ray.data.answer_tables import LABEL_CONTRASTS, LABEL_TRUTH
from dt2it_ray.data.ids import content_id
from dt2it_ray.rules.intervals import Resampling
from dt2it_ray.rules.label_contrast import label_contrast
from dt2it_ray.rules.label_precision import label_precision
from dt2it_ray.settings import Settings
from dt2it_ray.stages.intervals import IntervalSettings
from dt2it_ray.stages.stage import GatherStage, Outcome

ALL = ""


class ContrastSettings(Settings):
    """Which constructions are compared."""

    contrasts: tuple[tuple[str, str], ...]
    """Two names each; the first is subtracted from the second."""
    intervals: IntervalSettings = IntervalSettings()


def contrast_labels(tables: Mapping[str, pa.Table], settings: ContrastSettings) -> Outcome:
    """LABEL_CONTRASTS of LABEL_TRUTH by `truth/CONSTRUCTION/WORLD`. Metrics: `constructions`, their shares over all
    worlds, and `contrasts`, the differences over all with those of each world. Worlds have no prompts in common."""
    truths = _by_world(tables)
    how = settings.intervals.resampling()
    rows = [row for names in settings.contrasts for row in _contrast_rows(truths, *names, how)]
    shares = {name: asdict(label_precision(worlds[ALL], how)) for name, worlds in truths.items()}
    table = pa.Table.from_pylist(rows, schema=LABEL_CONTRASTS).sort_by("contrast_id")
    contrasts = {f"{first} to {second}": _told(rows, first, second) for first, second in settings.contrasts}
    return Outcome(table, metrics={"constructions": shares, "contrasts": contrasts})


def _by_world(tables: Mapping[str, pa.Table]) -> dict[str, dict[str, pa.Table]]:
    """The truths by construction and world, and under `ALL` those of all worlds."""
    truths: dict[str, dict[str, pa.Table]] = {}
    for name, table in sorted(tables.items()):
        construction, _, world = name.removeprefix("truth/").partition("/")
        truths.setdefault(construction, {})[world] = table
    return {
        name: {**worlds, ALL: pa.concat_tables(worlds.values()).sort_by("pair_id").combine_chunks()}
        for name, worlds in truths.items()
    }


def _contrast_rows(
    truths: Mapping[str, Mapping[str, pa.Table]], first: str, second: str, how: Resampling
) -> Iterator[dict[str, Any]]:
    for world in sorted(truths[first]):
        found = label_contrast(truths[first][world], truths[second][world], how)
        for figure in ("precision", "precision_of_unequal"):
            contrast = getattr(found, figure)
            named = {"first": first, "second": second, "world": world, "figure": figure}
            told = {**asdict(contrast.difference), "p_value": contrast.p_value}
            yield {"contrast_id": content_id(*named.values()), **named, **told}


def _told(rows: list[dict[str, Any]], first: str, second: str) -> dict[str, Any]:
    """By figure: the difference over all worlds with its interval and p-value, and the bare one of each world."""
    told: dict[str, Any] = {}
    for row in rows:
        if (row["first"], row["second"]) != (first, second):
            continue
        figure = told.setdefault(row["figure"], {"by_world": {}})
        if row["world"] == ALL:
            figure |= {name: row[name] for name in ("value", "low", "high", "p_value")}
        else:
            figure["by_world"][row["world"]] = row["value"]
    return told


CONTRASTED = GatherStage(
    name="label_contrasts",
    version=2,
    reads={"truth/*": pa.schema([LABEL_TRUTH.field(name) for name in ("pair_id", "prompt_id", "margin")])},
    writes=LABEL_CONTRASTS,
    decide=contrast_labels,
)
