"""What pair forming and the reliability figures know of each answer besides its scores: length, author, duplicates."""

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.answer_tables import ANSWER_FACTS
from dt2it_ray.data.schema import CANDIDATES
from dt2it_ray.rules.near_duplicates import Written, find_duplicates
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


class FactSettings(Settings):
    """When two answers to a prompt count as one."""

    least_alike: float = Field(default=0.9, gt=0, le=1)
    """Part of the character grams that near duplicates share; their colours, numbers and places are the same in any
    case. Ours: no paper gives one."""


def build_facts(settings: FactSettings, place: Workplace) -> BatchFn:
    """A function from candidates to one row per answer."""
    return lambda batch: _facts(batch, settings.least_alike)


def _facts(batch: pa.Table, least_alike: float) -> Outcome:
    facts, duplicates = [], 0
    for row in batch.to_pylist():
        written = [
            Written(answer["answer_id"], answer["text"], origin)
            for answer, origin in zip(row["answers"], row["origins"], strict=True)
        ]
        duplicate_of = find_duplicates(written, least_alike)
        duplicates += len(duplicate_of)
        facts += [_fact(row["prompt_id"], answer, duplicate_of.get(answer.answer_id)) for answer in written]
    rows = pa.Table.from_pylist(facts, schema=ANSWER_FACTS)
    return Outcome(rows, metrics={"answers": rows.num_rows, "near_duplicates": duplicates})


def _fact(prompt: str, answer: Written, duplicate_of: str | None) -> dict:
    return {
        "answer_id": answer.answer_id,
        "prompt_id": prompt,
        "characters": len(answer.text),
        "origin": answer.origin,
        "duplicate_of": duplicate_of,
    }


FACTS = MapStage(
    name="answer_facts",
    version=1,
    reads=pa.schema([CANDIDATES.field(name) for name in ("prompt_id", "answers", "origins")]),
    writes=ANSWER_FACTS,
    build=build_facts,
    per="prompt_id",
)
