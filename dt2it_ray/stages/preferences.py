"""How pairs of ids become preferences that stand for themselves: question, images, both texts and the strength."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dt2it_ray.data.critiques import CRITIQUE_COLUMNS, CRITIQUED_PAIRS
from dt2it_ray.data.preferences import (
    CRITIQUED_PAIRS_OF_PROMPT,
    CRITIQUED_PREFERENCES,
    PAIRS_OF_PROMPT,
    PREFERENCES,
)
from dt2it_ray.data.schema import CANDIDATES, PAIRS, PROMPTS
from dt2it_ray.rules.by_prompt import group_by_prompt
from dt2it_ray.stages.stage import BatchFn, GatherStage, MapStage, NoSettings, Outcome, Workplace


def group_pairs(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """The pairs of each prompt in one row; prompts without pairs have none."""
    return Outcome(group_by_prompt(tables["pairs"], PAIRS_OF_PROMPT))


def group_critiqued(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """The same with the critiques of their answers."""
    return Outcome(group_by_prompt(tables["pairs"], CRITIQUED_PAIRS_OF_PROMPT))


def build_writing(settings: NoSettings, place: Workplace) -> BatchFn:
    """A function from prompts with candidates and pairs to one preference per pair."""
    return write_preferences


def build_critiqued_writing(settings: NoSettings, place: Workplace) -> BatchFn:
    """The same with the critiques of both answers."""
    return write_critiqued


def write_critiqued(batch: pa.Table) -> Outcome:
    """One row per pair, as `write_preferences`."""
    rows = [
        preference_of_pair(row, pair) | {name: pair[name] for name in CRITIQUE_COLUMNS}
        for row in batch.to_pylist()
        for pair in row["pairs"]
    ]
    return Outcome(pa.Table.from_pylist(rows, schema=CRITIQUED_PREFERENCES))


def write_preferences(batch: pa.Table) -> Outcome:
    """One row per pair. Of an image that has a path only that is told, so that none is stored twice."""
    rows = [preference_of_pair(row, pair) for row in batch.to_pylist() for pair in row["pairs"]]
    return Outcome(pa.Table.from_pylist(rows, schema=PREFERENCES))


def preference_of_pair(row: Mapping[str, Any], pair: Mapping[str, Any]) -> dict[str, Any]:
    """The row of PREFERENCES of a pair of a prompt with its answers and their origins."""
    written = {
        answer["answer_id"]: (answer["text"], origin)
        for answer, origin in zip(row["answers"], row["origins"], strict=True)
    }
    chosen, chosen_origin = written[pair["chosen_id"]]
    rejected, rejected_origin = written[pair["rejected_id"]]
    return {
        "pair_id": pair["pair_id"],
        "prompt_id": row["prompt_id"],
        "source": row["source"],
        "language": row["language"],
        "images": [image if not image["path"] else {"bytes": None, "path": image["path"]} for image in row["images"]],
        "history": row["history"],
        "question": row["question"],
        "chosen": chosen,
        "rejected": rejected,
        "strength": pair["strength"],
        "chosen_origin": chosen_origin,
        "rejected_origin": rejected_origin,
    }


GROUP_PAIRS = GatherStage(
    name="pairs_by_prompt", version=1, reads={"pairs": PAIRS}, writes=PAIRS_OF_PROMPT, decide=group_pairs
)
GROUP_CRITIQUED = GatherStage(
    name="critiqued_by_prompt",
    version=1,
    reads={"pairs": CRITIQUED_PAIRS},
    writes=CRITIQUED_PAIRS_OF_PROMPT,
    decide=group_critiqued,
)
_READS = [
    *(PROMPTS.field(name) for name in ("prompt_id", "source", "language", "images", "history", "question")),
    *(CANDIDATES.field(name) for name in ("answers", "origins")),
]
WRITE_CRITIQUED = MapStage(
    name="critiqued_preferences",
    version=1,
    reads=pa.schema([*_READS, CRITIQUED_PAIRS_OF_PROMPT.field("pairs")]),
    writes=CRITIQUED_PREFERENCES,
    build=build_critiqued_writing,
    per="prompt_id",
)
WRITE_PREFERENCES = MapStage(
    name="preferences",
    version=2,
    reads=pa.schema([*_READS, PAIRS_OF_PROMPT.field("pairs")]),
    writes=PREFERENCES,
    build=build_writing,
    per="prompt_id",
)
