"""How judges and raters of a run are measured: by their own flips and tastes, and against each other."""

from collections.abc import Mapping
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dt2it_ray.data.attributes import ATTRIBUTES
from dt2it_ray.data.figures import RELIABILITY, STYLE_FEATURES
from dt2it_ray.data.granular import RATINGS
from dt2it_ray.data.schema import DOUBTED, JUDGEMENTS, PROMPTS, VOTES
from dt2it_ray.rules.granular_judgements import judgements_of
from dt2it_ray.rules.raters import judged
from dt2it_ray.rules.reliability import measure_reliability
from dt2it_ray.rules.voters import voted
from dt2it_ray.settings import Settings
from dt2it_ray.stages.intervals import IntervalSettings
from dt2it_ray.stages.stage import GatherStage, Outcome

JudgeKey = Annotated[str, Field(pattern=r"^(listwise|pointwise|rejudge|rate)/.+$")]
"""What a judge is asked for, by the name of the stage, and its own name, as names are unique in one panel only."""


class ReliabilitySettings(Settings):
    """What is known of the judges, and how sure figures are."""

    models: dict[JudgeKey, str] = Field(default_factory=dict)
    """Model by mode and name of judge (`listwise/annotator-0`), as answers name it in their origin after `model:`. Goes
    before what a run knows from the judges' engines. A judge that is in neither has no self-preference."""
    intervals: IntervalSettings = IntervalSettings()


def measure_judges(tables: Mapping[str, pa.Table], settings: ReliabilitySettings) -> Outcome:
    """A row per figure of listwise and pointwise judges; those over all prompts are metrics too."""
    known = judged(_all(tables, "judgements/"), tables["answers"], tables["rows"])
    return _outcome(measure_reliability(known, settings.models, settings.intervals.resampling()))


def measure_voters(tables: Mapping[str, pa.Table], settings: ReliabilitySettings) -> Outcome:
    """The same of the judges of doubted pairs, which say only who wins."""
    known = voted(_all(tables, "votes/"), tables["doubted"], tables["answers"], tables["rows"])
    return _outcome(measure_reliability(known, settings.models, settings.intervals.resampling()))


def measure_raters(tables: Mapping[str, pa.Table], settings: ReliabilitySettings) -> Outcome:
    """The same of granular raters by their quality Q, and the alpha of every attribute."""
    ratings, beside = _all(tables, "ratings/"), (tables["answers"], tables["rows"])
    aspects = {f"alpha_{name}": judged(judgements_of(ratings, name), *beside).raters for name in ATTRIBUTES}
    known = judged(judgements_of(ratings), *beside)
    return _outcome(measure_reliability(known, settings.models, settings.intervals.resampling(), aspects))


def _all(tables: Mapping[str, pa.Table], prefix: str) -> pa.Table:
    return pa.concat_tables([table for name, table in sorted(tables.items()) if name.startswith(prefix)])


def _outcome(figures: pa.Table) -> Outcome:
    """The figures, with the values over all prompts by figure and judge as metrics."""
    told: dict[str, dict[str, float | None]] = {}
    for row in figures.filter(pc.equal(figures["source"], "")).to_pylist():
        one, other = (" ".join(filter(None, (row[f"{side}mode"], row[f"{side}judge"]))) for side in ("", "other_"))
        told.setdefault(row["figure"], {})[f"{one} and {other}" if other else one or "all"] = row["value"]
    metrics: dict[str, Any] = {figure: dict(sorted(values.items())) for figure, values in sorted(told.items())}
    return Outcome(figures, metrics=metrics)


_BESIDE = {
    "answers": pa.schema([STYLE_FEATURES.field(name) for name in ("answer_id", "characters", "origin")]),
    "rows": pa.schema([PROMPTS.field(name) for name in ("prompt_id", "source")]),
}
_JUDGEMENT = ("prompt_id", "judge", "mode", "shown", "order", "assessments")
RELIABLE = GatherStage(
    name="reliability",
    version=2,
    reads={"judgements/*": pa.schema([JUDGEMENTS.field(name) for name in _JUDGEMENT]), **_BESIDE},
    writes=RELIABILITY,
    decide=measure_judges,
)
RELIABLE_VOTES = GatherStage(
    name="rejudge_reliability",
    version=1,
    reads={
        "votes/*": pa.schema([VOTES.field(name) for name in ("pair_id", "judge", "swapped", "verdict")]),
        "doubted": DOUBTED,
        **_BESIDE,
    },
    writes=RELIABILITY,
    decide=measure_voters,
)
RELIABLE_RATINGS = GatherStage(
    name="rate_reliability",
    version=1,
    reads={
        "ratings/*": pa.schema([RATINGS.field(name) for name in ("prompt_id", "judge", "order", "ratings")]),
        **_BESIDE,
    },
    writes=RELIABILITY,
    decide=measure_raters,
)
MEASURES = (RELIABLE, RELIABLE_RATINGS, RELIABLE_VOTES)
"""Every stage that measures judges."""
