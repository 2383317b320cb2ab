"""How doubted pairs are put to a judge again: it sees both orders, and each reply is one vote."""

from collections.abc import Mapping
from typing import Annotated, Any

import pyarrow as pa
from pydantic import AfterValidator

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.schema import DOUBTED, PROMPTS, VOTES
from dt2it_ray.models.protocols import Judge
from dt2it_ray.rules.judge_reply import Reply
from dt2it_ray.rules.votes import Verdict, compare_shown
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ask import Asked, ask, asking_figures, request_for
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.judges import JudgeSettings, open_judge, rubric_parser, with_own_names
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


class RejudgeSettings(Settings):
    """Who judges the doubted pairs."""

    judges: Annotated[tuple[JudgeSettings, ...], AfterValidator(with_own_names)] = (
        JudgeSettings(name="rejudge-0"),
        JudgeSettings(name="rejudge-1"),
    )
    """J judges (arXiv 2604.19544), simulated annotators unless they have an engine. Each has a step of its own and sees
    every pair in both orders. None: doubted pairs are dropped."""


def build_rejudging(settings: JudgeSettings, place: Workplace) -> BatchFn:
    """A function from prompts with doubted pairs to one vote per pair and order."""
    judge = open_judge(settings, place)
    return EngineFn(lambda batch: rejudge_batch(batch, judge, settings), judge)


def rejudge_batch(batch: pa.Table, judge: Judge, settings: JudgeSettings) -> Outcome:
    """Votes on every pair of every prompt. A reply that stays invalid is a vote `invalid` with the raw text."""
    rows = batch.to_pylist()
    cases = [(row, pair, swapped) for row in rows for pair in row["pairs"] for swapped in (False, True)]
    requests = [request_for(row, *_shown(row, pair, swapped, settings.name)) for row, pair, swapped in cases]
    asked = ask(judge, requests, settings.attempts, rubric_parser(settings))
    votes = [_vote(settings.name, *case, told) for case, told in zip(cases, asked, strict=True)]
    return Outcome(pa.Table.from_pylist(votes, schema=VOTES), metrics=asking_figures(asked))


def _shown(row: Mapping[str, Any], pair: Mapping[str, str], swapped: bool, judge: str) -> tuple[list[str], str]:
    """The two answers in the order to show, and the request's key."""
    text_of = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
    texts = [text_of[pair["chosen_id"]], text_of[pair["rejected_id"]]]
    return texts[::-1] if swapped else texts, f"{judge} {pair['pair_id']} {int(swapped)}"


def _vote(
    judge: str, row: Mapping[str, Any], pair: Mapping[str, str], swapped: bool, asked: Asked[Reply]
) -> dict[str, Any]:
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
    version=3,
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
