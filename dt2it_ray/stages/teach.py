"""How rated prompts become examples of the training sets of arXiv 2402.10884."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.attributes import MAX_RATING, MIN_RATING, QUALITY, attribute_text
from dt2it_ray.data.granular import CHOICES, TEACHINGS
from dt2it_ray.data.schema import CANDIDATES, PROMPTS
from dt2it_ray.rules.granular_sets import RatedPrompt, TrainingSet, derive_examples, is_sampled
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


class TeachSettings(Settings):
    """What the training sets take."""

    min_quality: float = Field(default=0, ge=0, le=12)
    """Least quality, 0 to 12, of a best answer that rejection sampling takes. 0 takes every prompt's best answer, as
    arXiv 2402.10884 names no limit."""
    sampler: str = ""
    """Name of the model, as in the origins, whose samples may stand in the set `sft`. Empty: any model's; name it where
    a stronger one wrote answers too."""


class SetFileSettings(Settings):
    """Which files are written of the training sets."""

    sets: tuple[TrainingSet, ...] = tuple(TrainingSet)
    """`dpo`, `rejection_sampling`, `steerlm` and `sft` (arXiv 2402.10884 compares them)."""
    formats: tuple[Literal["trl", "llama_factory"], ...] = ("trl", "llama_factory")
    """Whose rows are written."""
    complexity: int = Field(default=2, ge=MIN_RATING, le=MAX_RATING)
    """What a SteerLM model is to be asked for besides 4 for the attributes of quality; in `steerlm.json`. Unpublished;
    ours is the middle of the scale. The means of each rater are in the manifest of the choices."""
    verbosity: int = Field(default=2, ge=MIN_RATING, le=MAX_RATING)
    """Likewise."""

    def best_attributes(self) -> str:
        """The attributes of the best answer of typical complexity and verbosity: `helpfulness:4,...`."""
        return attribute_text([*(MAX_RATING for _ in QUALITY), self.complexity, self.verbosity])


def build_teaching(settings: TeachSettings, place: Workplace) -> BatchFn:
    """A function from prompts with candidates and choices to their examples."""
    return lambda batch: teach_batch(batch, settings)


def teach_batch(batch: pa.Table, settings: TeachSettings) -> Outcome:
    """The examples of every prompt in one row; as metrics how many each set gets, and how many references `sft` has."""
    rows = [_teaching(row, settings) for row in batch.to_pylist()]
    counts = Counter(f"examples.{example['set']}" for row in rows for example in row["examples"])
    counts["sft_from_reference"] = sum(bool((text or "").strip()) for text in batch["reference"].to_pylist())
    return Outcome(pa.Table.from_pylist(rows, schema=TEACHINGS), metrics=dict(sorted(counts.items())))


def _teaching(row: Mapping[str, Any], settings: TeachSettings) -> dict[str, Any]:
    written = zip(row["answers"], row["origins"], strict=True)
    prompt = RatedPrompt(
        question=row["question"],
        reference=row["reference"] or "",
        texts={answer["answer_id"]: answer["text"] for answer in row["answers"]},
        sampled=[answer["answer_id"] for answer, origin in written if is_sampled(origin, settings.sampler)],
        graded=row["graded"],
        chosen_id=row["chosen_id"],
        rejected_id=row["rejected_id"],
        gap=row["gap"],
    )
    return {
        "prompt_id": row["prompt_id"],
        "source": row["source"],
        "images": [image if not image["path"] else {"bytes": None, "path": image["path"]} for image in row["images"]],
        "history": row["history"],
        "examples": derive_examples(prompt, settings.min_quality),
    }


TEACH = MapStage(
    name="granular_sets",
    version=2,
    reads=pa.schema(
        [
            *(PROMPTS.field(name) for name in ("prompt_id", "source", "images", "history", "question", "reference")),
            *(CANDIDATES.field(name) for name in ("answers", "origins")),
            *(CHOICES.field(name) for name in ("graded", "chosen_id", "rejected_id", "gap")),
        ]
    ),
    writes=TEACHINGS,
    build=build_teaching,
)
