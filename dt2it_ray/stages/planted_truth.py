"""How right constructed labels are in the embedded world, whose scenes tell how good any answer is."""

from collections.abc import Mapping
from dataclasses import asdict

import pyarrow as pa

from dt2it_ray.data.answer_tables import LABEL_TRUTH, PLANTED_GRADES
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.data.schema import CANDIDATES, PAIRS, PROMPTS
from dt2it_ray.errors import InputError
from dt2it_ray.rules.label_precision import label_precision, label_truth
from dt2it_ray.stages.intervals import IntervalSettings
from dt2it_ray.stages.stage import BatchFn, GatherStage, MapStage, NoSettings, Outcome, Workplace


def build_grading(settings: NoSettings, place: Workplace) -> BatchFn:
    """A function from prompts with planted truth and candidates to the true quality of every answer."""
    return grade_batch


def grade_batch(batch: pa.Table) -> Outcome:
    """One row per answer.

    Raises:
        InputError: a prompt has no planted truth, as it is not of the embedded world.
    """
    grades = []
    for row in batch.to_pylist():
        if row["scene"] is None:
            raise InputError(f"prompt {row['prompt_id']} has no planted truth: only the embedded world can be graded")
        truth = Truth.from_json(row["scene"])
        for answer in row["answers"]:
            quality = truth.grade(row["question"], row["language"], answer["text"]).quality
            grades.append({"answer_id": answer["answer_id"], "prompt_id": row["prompt_id"], "quality": quality})
    return Outcome(pa.Table.from_pylist(grades, schema=PLANTED_GRADES))


def check_labels(tables: Mapping[str, pa.Table], settings: IntervalSettings) -> Outcome:
    """Whether the chosen answer of each pair is truly better, equal or worse; counts and shares as metrics."""
    truth = label_truth(tables["pairs"], tables["grades"])
    return Outcome(truth, metrics=asdict(label_precision(truth, settings.resampling())))


PLANTED = MapStage(
    name="planted_grades",
    version=1,
    reads=pa.schema(
        [
            *(PROMPTS.field(name) for name in ("prompt_id", "language", "question", "scene")),
            CANDIDATES.field("answers"),
        ]
    ),
    writes=PLANTED_GRADES,
    build=build_grading,
    per="prompt_id",
)
LABELS_CHECKED = GatherStage(
    name="label_truth",
    version=2,
    reads={
        "pairs": pa.schema([PAIRS.field(name) for name in ("pair_id", "prompt_id", "chosen_id", "rejected_id")]),
        "grades": pa.schema([PLANTED_GRADES.field(name) for name in ("answer_id", "quality")]),
    },
    writes=LABEL_TRUTH,
    decide=check_labels,
)
