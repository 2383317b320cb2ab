"""How doubted pairs are put to the judges again: every judge sees both orders, and each reply is one vote."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.schema import DOUBTED, PROMPTS, VOTES
from dt2it_ray.models.protocols import Judge
from dt2it_ray.models.simulated_judge import SimulatedJudge
from dt2it_ray.rules.rubric import WEIGHT_TOLERANCE
from dt2it_ray.rules.votes import Verdict, compare_shown
from dt2it_ray.settings import Settings
from dt2it_ray.stages.judge import Asked, ask, request_for
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


class RejudgeSettings(Settings):
    """Who judges the doubted pairs."""

    judges: int = Field(default=2, ge=1)
    """How many judges (J of the paper). Each sees every pair in both orders."""
    annotator: AnnotatorSettings = AnnotatorSettings()
    """The simulated annotators of the embedded world; each has errors of its own."""
    attempts: int = Field(default=3, ge=1, le=10)
    """Requests per reply before it counts as invalid."""
    weight_tolerance: float = Field(default=WEIGHT_TOLERANCE, ge=0, le=0.5)
    """How far the criterion weights may sum from 1."""


def build_rejudging(settings: RejudgeSettings, place: Workplace) -> BatchFn:
    """A function from prompts with doubted pairs to one vote per pair, judge and order."""
    judges = [SimulatedJudge(f"rejudge-{number}", settings.annotator) for number in range(settings.judges)]
    return lambda batch: rejudge_batch(batch, judges, settings)


def rejudge_batch(batch: pa.Table, judges: Sequence[Judge], settings: RejudgeSettings) -> Outcome:
    """Votes on every pair of every prompt. A reply that stays invalid is a vote `invalid` with the raw text."""
    rows = batch.to_pylist()
    asked_for = [(row, pair, swapped) for row in rows for pair in row["pairs"] for swapped in (False, True)]
    votes = []
    for judge in judges:
        requests = [request_for(row, *_shown(row, pair, swapped, judge.name)) for row, pair, swapped in asked_for]
        replies = ask(judge, requests, settings.attempts, settings.weight_tolerance)
        votes += [_vote(judge.name, *case, asked) for case, asked in zip(asked_for, replies, strict=True)]
    return Outcome(pa.Table.from_pylist(votes, schema=VOTES))


def _shown(row: Mapping[str, Any], pair: Mapping[str, str], swapped: bool, judge: str) -> tuple[list[str], str]:
    """The two answers in the order to show, and the request's key."""
    text_of = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
    texts = [text_of[pair["chosen_id"]], text_of[pair["rejected_id"]]]
    return texts[::-1] if swapped else texts, f"{judge} {pair['pair_id']} {int(swapped)}"


def _vote(judge: str, row: Mapping[str, Any], pair: Mapping[str, str], swapped: bool, asked: Asked) -> dict[str, Any]:
    if isinstance(asked.reply, Dropped):
        verdict, evidence = Verdict.INVALID, f"{asked.reply.detail}\n{asked.reply.evidence}"
    else:
        first, second = (answer.overall for answer in asked.reply.answers)
        verdict, evidence = compare_shown(first, second, swapped), None
    return {
        "vote_id": content_id("vote", pair["pair_id"], judge, int(swapped)),
        "pair_id": pair["pair_id"],
        "prompt_id": row["prompt_id"],
        "judge": judge,
        "swapped": swapped,
        "verdict": str(verdict),
        "attempts": asked.attempts,
        "evidence": evidence,
    }


REJUDGE = MapStage(
    name="rejudge",
    version=2,
    reads=pa.schema(
        [
            *(PROMPTS.field(name) for name in PROMPTS.names if name not in ("source", "category", "labels")),
            DOUBTED.field("pairs"),
        ]
    ),
    writes=VOTES,
    build=build_rejudging,
    per="prompt_id",
)
