"""How pairs of ids become preferences that stand for themselves: question, images, both texts and the strength."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dt2it_ray.data.preferences import PAIRS_OF_PROMPT, PREFERENCES
from dt2it_ray.data.schema import CANDIDATES, PAIRS, PROMPTS
from dt2it_ray.rules.by_prompt import group_by_prompt
from dt2it_ray.stages.stage import BatchFn, GatherStage, MapStage, NoSettings, Outcome, Workplace


def group_pairs(tables: Mapping[str, pa.Table], settings: NoSettings) -> Outcome:
    """The pairs of each prompt in one row; prompts without pairs have none."""
    return Outcome(group_by_prompt(tables["pairs"], PAIRS_OF_PROMPT))


def build_writing(settings: NoSettings, place: Workplace) -> BatchFn:
    """A function from prompts with candidates and pairs to one preference per pair."""
    return write_preferences


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
WRITE_PREFERENCES = MapStage(
    name="preferences",
    version=2,
    reads=pa.schema(
        [
            *(PROMPTS.field(name) for name in ("prompt_id", "source", "language", "images", "history", "question")),
            *(CANDIDATES.field(name) for name in ("answers", "origins")),
            PAIRS_OF_PROMPT.field("pairs"),
        ]
    ),
    writes=PREFERENCES,
    build=build_writing,
    per="prompt_id",
)
