"""How style is measured: features of every answer, and how well they tell the labels of pairs, before and after."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.figures import PROBES, STYLE_FEATURES
from dt2it_ray.data.preferences import PAIRS_OF_PROMPT
from dt2it_ray.data.schema import CANDIDATES, PAIRS, PROMPTS, DropReason
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.style_features import style_features
from dt2it_ray.rules.style_probe import Probe, probe_pairs
from dt2it_ray.settings import Settings
from dt2it_ray.stages.intervals import IntervalSettings
from dt2it_ray.stages.stage import BatchFn, GatherStage, MapStage, NoSettings, Outcome, Workplace


class StyleProbeSettings(Settings):
    """How the probe is fitted, and when it says nothing."""

    folds: int = Field(default=5, ge=2, le=20)
    """Parts of the prompts; each is judged by a probe that was fitted to the others."""
    inverse_ridge: float = Field(default=1.0, gt=0)
    """Inverse of the weight of the squared coefficients; 1 is the default of scikit-learn."""
    most_origins: int = Field(default=16, ge=0)
    """So many origins of answers, the most frequent ones, are features."""
    most_pairs: int = Field(default=200_000, ge=100)
    """Of more pairs in one scope a sample by pair id is probed; its area is then known to about 0.002."""
    min_prompts: int = Field(default=50, ge=20)
    """Pairs of fewer prompts are not probed."""
    intervals: IntervalSettings = IntervalSettings()


def build_style(settings: NoSettings, place: Workplace) -> BatchFn:
    """A function from prompts with answers to a row of features per answer."""
    return style_batch


def style_batch(batch: pa.Table) -> Outcome:
    """STYLE_FEATURES of every answer; without a column `origins` nobody knows who wrote it. A prompt without answers
    is dropped.

    Raises:
        StageFailed: a prompt has more or fewer origins than answers.
    """
    sizes = pc.fill_null(pc.list_value_length(batch["answers"]), 0)
    empty = batch["prompt_id"].filter(pc.equal(sizes, 0)).to_pylist()
    trouble = Dropped(DropReason.TOO_FEW_ANSWERS, "the prompt has no answers")
    answered = batch.filter(pc.greater(sizes, 0)).combine_chunks()
    return Outcome(_features(answered), dropped_table(trouble.row(prompt) for prompt in empty))


def _features(rows: pa.Table) -> pa.Table:
    if not rows.num_rows:
        return STYLE_FEATURES.empty_table()
    answers = pa.concat_arrays(pc.list_flatten(rows["answers"]).chunks)
    columns = {
        "answer_id": pc.struct_field(answers, "answer_id"),
        "prompt_id": rows["prompt_id"].take(pc.list_parent_indices(rows["answers"])),
        "origin": _origins(rows) if "origins" in rows.column_names else pa.nulls(len(answers), pa.string()),
        **style_features(pc.struct_field(answers, "text")),
    }
    return pa.table(columns).select(STYLE_FEATURES.names).cast(STYLE_FEATURES)


def _origins(rows: pa.Table) -> pa.ChunkedArray:
    lengths = (pc.fill_null(pc.list_value_length(rows[name]), 0) for name in ("answers", "origins"))
    uneven = rows["prompt_id"].filter(pc.not_equal(*lengths))
    if len(uneven):
        raise StageFailed(f"prompt {uneven[0].as_py()} has not as many origins as answers; sample its answers again")
    return pc.list_flatten(rows["origins"])


def probe_style(tables: Mapping[str, pa.Table], settings: StyleProbeSettings) -> Outcome:
    """PROBES of every set of pairs, named as its input is after `pairs/`; the probe's figures over all are metrics."""
    features = pa.concat_tables([table for name, table in sorted(tables.items()) if name.startswith("features/")])
    probe = Probe(
        folds=settings.folds,
        inverse_ridge=settings.inverse_ridge,
        most_origins=settings.most_origins,
        most_pairs=settings.most_pairs,
        min_prompts=settings.min_prompts,
        resampling=settings.intervals.resampling(),
    )
    sets = {name.removeprefix("pairs/"): table for name, table in sorted(tables.items()) if name.startswith("pairs/")}
    made = [probe_pairs(name, pairs, features, probe) for name, pairs in sets.items()]
    probes = pa.concat_tables([PROBES.empty_table(), *made])
    return Outcome(probes, metrics={name: _headlines(probes, name) for name in sets})


def _headlines(probes: pa.Table, name: str) -> dict[str, Any]:
    over_all = pc.and_(pc.equal(probes["pair_set"], name), pc.equal(probes["source"], ""))
    rows = probes.filter(pc.and_(over_all, pc.is_null(probes["feature"]))).to_pylist()
    told = {row["figure"]: row["value"] for row in rows}
    return dict(sorted(told.items())) | {"pairs": next(row["n"] for row in rows if row["figure"] == "probe_auc")}


STYLE = MapStage(
    name="style",
    version=1,
    reads=pa.schema([CANDIDATES.field(name) for name in ("prompt_id", "answers", "origins")]),
    writes=STYLE_FEATURES,
    build=build_style,
    per="prompt_id",
)
STYLE_OF_ROWS = MapStage(
    name="style_of_rows",
    version=1,
    reads=pa.schema([*(PROMPTS.field(name) for name in ("prompt_id", "answers")), PAIRS_OF_PROMPT.field("pairs")]),
    writes=STYLE_FEATURES,
    build=build_style,
    per="prompt_id",
)
STYLE_PROBE = GatherStage(
    name="style_probe",
    version=2,
    reads={
        "pairs/*": pa.schema(
            [PAIRS.field(name) for name in ("pair_id", "prompt_id", "chosen_id", "rejected_id", "source")]
        ),
        "features/*": STYLE_FEATURES,
    },
    writes=PROBES,
    decide=probe_style,
)
