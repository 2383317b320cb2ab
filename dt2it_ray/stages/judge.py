"""How answers are judged: replies of any judge become checked judgements, listwise or one answer at a time."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.schema import JUDGEMENTS
from dt2it_ray.models.protocols import Judge
from dt2it_ray.rules.judge_reply import Reply
from dt2it_ray.stages.ask import READS, Asked, Shown, answers_shown, ask, asking_figures, request_for
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.judges import JudgeSettings, JudgingSettings, open_judge, rubric_parser
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace

Mode = Literal["listwise", "pointwise"]
"""All answers of a prompt in one reply, or one reply per answer. Belongs to the stage: a judge has no say in it."""

Made = list[tuple[Shown, Asked[Reply]]]
"""The requests of one judgement with their replies."""


def build_judging(mode: Mode, settings: JudgingSettings, place: Workplace) -> BatchFn:
    """A function from prompts with candidates to one judgement per prompt and order."""
    judge = open_judge(settings.judge, place)
    return EngineFn(lambda batch: judge_batch(batch, judge, mode, settings.judge, settings.orders), judge)


def judge_batch(batch: pa.Table, judge: Judge, mode: Mode, settings: JudgeSettings, orders: int = 1) -> Outcome:
    """One judgement per prompt and order, an answer whose reply stays invalid without assessment.

    A prompt none of whose judgements compares two answers is dropped with the raw text of all attempts.
    """
    rows = batch.to_pylist()
    passes = [_passes(row, mode, settings.name, orders) for row in rows]
    requests = [
        request_for(row, [text for _, text in shown], request_key(mode, row["prompt_id"], place))
        for row, lists in zip(rows, passes, strict=True)
        for place, shown in enumerate(shown for each in lists for shown in each)
    ]
    asked = ask(judge, requests, settings.attempts, rubric_parser(settings))
    replies = iter(asked)
    judgements, refused = [], []
    for row, lists in zip(rows, passes, strict=True):
        made = [[(shown, next(replies)) for shown in each] for each in lists]
        prompt, needed = row["prompt_id"], min(2, len(row["answers"]))
        judged = [_judgement(prompt, settings.name, mode, place, each) for place, each in enumerate(made)]
        if any(len(judgement["assessments"]) >= needed for judgement in judged):
            judgements += judged
        else:
            refused.append(_refusal(made).row(prompt))
    rows_out = pa.Table.from_pylist(judgements, schema=JUDGEMENTS)
    return Outcome(rows_out, dropped_table(refused), asking_figures(asked))


def request_key(mode: Mode, prompt: str, place: int) -> str:
    """The key of a judge's request about a prompt, by its place among all requests about it."""
    return f"{mode} {prompt} {place}"


def _passes(row: Mapping[str, Any], mode: Mode, judge: str, orders: int) -> list[list[Shown]]:
    """For each judgement of a prompt, what is shown in each of its requests. One answer has one order."""
    if mode == "pointwise":
        return [[[(answer["answer_id"], answer["text"])] for answer in row["answers"]]]
    turns = range(orders if len(row["answers"]) > 1 else 1)
    return [[answers_shown(row, judge, turn)] for turn in turns]


def _judgement(prompt: str, judge: str, mode: Mode, shown: int, made: Made) -> dict[str, Any]:
    return {
        "judgement_id": content_id("judgement", prompt, judge, mode, shown),
        "prompt_id": prompt,
        "judge": judge,
        "mode": mode,
        "shown": shown,
        "order": [name for answers, _ in made for name, _ in answers],
        "assessments": list(_assessments(made)),
        "attempts": sum(asked.attempts for _, asked in made),
        "faults": [str(fault) for _, asked in made for fault in asked.faults],
        "evidence": _evidence(made),
    }


def _assessments(made: Made) -> Iterator[dict[str, Any]]:
    for shown, asked in made:
        if isinstance(asked.reply, Dropped):
            continue
        for (name, _), answer in zip(shown, asked.reply.answers, strict=True):
            yield {
                "answer_id": name,
                "overall": answer.overall,
                "stated_overall": answer.stated_overall,
                "weights": list(asked.reply.weights),
                "scores": list(answer.scores),
            }


def _evidence(made: Made) -> str | None:
    """What was said of the answers that are lost; None if none is."""
    told = [
        f"answer {', '.join(name for name, _ in shown)}: {asked.reply.detail}\n{asked.reply.evidence}"
        for shown, asked in made
        if not isinstance(asked.reply, Reply)
    ]
    return "\n".join(told) or None


def _refusal(judgements: Sequence[Made]) -> Dropped:
    """Why a prompt cannot go on: its first reply that is lost, with the evidence of all."""
    lost = [asked.reply for made in judgements for _, asked in made if isinstance(asked.reply, Dropped)]
    evidence = "\n".join(told for made in judgements if (told := _evidence(made)))
    more = f" (and {len(lost) - 1} more replies)" if len(lost) > 1 else ""
    return Dropped(lost[0].reason, f"{lost[0].detail}{more}", evidence)


LISTWISE = MapStage(
    name="listwise",
    version=3,
    reads=READS,
    writes=JUDGEMENTS,
    build=functools.partial(build_judging, "listwise"),
    per="prompt_id",
)
POINTWISE = MapStage(
    name="pointwise",
    version=3,
    reads=READS,
    writes=JUDGEMENTS,
    build=functools.partial(build_judging, "pointwise"),
    per="prompt_id",
)
