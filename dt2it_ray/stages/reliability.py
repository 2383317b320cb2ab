"""How the judges of a run are measured: by their own flips and tastes, and against each other."""

from collections.abc import Mapping
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dt2it_ray.data.figures import RELIABILITY, STYLE_FEATURES
from dt2it_ray.data.schema import JUDGEMENTS, PROMPTS
from dt2it_ray.rules.reliability import measure_reliability
from dt2it_ray.settings import Settings
from dt2it_ray.stages.intervals import IntervalSettings
from dt2it_ray.stages.stage import GatherStage, Outcome

JudgeKey = Annotated[str, Field(pattern=r"^(listwise|pointwise)/.+$")]
"""A judge's mode and name, as names are unique in one panel only."""


class ReliabilitySettings(Settings):
    """What is known of the judges, and how sure figures are."""

    models: dict[JudgeKey, str] = Field(default_factory=dict)
    """Model by mode and name of judge (`listwise/annotator-0`), as answers name it in their origin after `model:`. Goes
    before what a run knows from the judges' engines. A judge that is in neither has no self-preference."""
    intervals: IntervalSettings = IntervalSettings()


def measure(tables: Mapping[str, pa.Table], settings: ReliabilitySettings) -> Outcome:
    """A row per figure; those over all prompts are metrics too."""
    judgements = pa.concat_tables([table for name, table in sorted(tables.items()) if name.startswith("judgements/")])
    figures = measure_reliability(
        judgements, tables["answers"], tables["rows"], settings.models, settings.intervals.resampling()
    )
    return Outcome(figures, metrics=_headlines(figures))


def _headlines(figures: pa.Table) -> dict[str, Any]:
    """Values over all prompts by figure and judge."""
    told: dict[str, dict[str, float | None]] = {}
    for row in figures.filter(pc.equal(figures["source"], "")).to_pylist():
        one, other = (" ".join(filter(None, (row[f"{side}mode"], row[f"{side}judge"]))) for side in ("", "other_"))
        told.setdefault(row["figure"], {})[f"{one} and {other}" if other else one or "all"] = row["value"]
    return {figure: dict(sorted(values.items())) for figure, values in sorted(told.items())}


RELIABLE = GatherStage(
    name="reliability",
    version=1,
    reads={
        "judgements/*": pa.schema(
            [JUDGEMENTS.field(name) for name in ("prompt_id", "judge", "mode", "shown", "order", "assessments")]
        ),
        "answers": pa.schema([STYLE_FEATURES.field(name) for name in ("answer_id", "characters", "origin")]),
        "rows": pa.schema([PROMPTS.field(name) for name in ("prompt_id", "source")]),
    },
    writes=RELIABILITY,
    decide=measure,
)
