"""How answers are judged: replies of any judge become checked judgements, listwise or one answer at a time."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.schema import CANDIDATES, JUDGEMENTS, PROMPTS
from dt2it_ray.models.engines import EngineSettings, open_generator
from dt2it_ray.models.judging.chat_judge import ChatJudge
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import Judge, JudgeRequest, RefusedReply
from dt2it_ray.models.simulated_judge import SimulatedJudge
from dt2it_ray.rules.judge_reply import Reply, parse_reply
from dt2it_ray.rules.rubric import WEIGHT_TOLERANCE
from dt2it_ray.rules.shown_order import shown_order
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace

Mode = Literal["listwise", "pointwise"]
"""All answers of a prompt in one reply, or one reply per answer. Belongs to the stage: a judge has no say in it."""


class JudgeSettings(Settings):
    """Who judges, how, and what is accepted of a reply."""

    name: str = "annotator-0"
    """The judge's name in every judgement; a simulated annotator's errors depend on it too."""
    annotator: AnnotatorSettings = AnnotatorSettings()
    """The simulated annotator of the embedded world, which judges unless there is an `engine`."""
    engine: EngineSettings | None = None
    """The chat model that judges."""
    temperature: float = Field(default=0, ge=0, le=5)
    """Of the chat model's replies; 0 takes the likeliest tokens."""
    max_new_tokens: int = Field(default=2048, ge=1)
    """A reply that is longer is cut off, and then invalid."""
    template: Literal["rubric-1"] = "rubric-1"
    """What it is told. Another wording is another template."""
    attempts: int = Field(default=3, ge=1, le=10)
    """Requests per reply before it is given up (arXiv 2604.19544: 3)."""
    weight_tolerance: float = Field(default=WEIGHT_TOLERANCE, ge=0, le=0.5)
    """How far the criterion weights may sum from 1."""


@dataclass(frozen=True)
class Asked:
    """A valid reply with the number of attempts it took, or why there is none."""

    reply: Reply | Dropped
    attempts: int


def ask(judge: Judge, requests: Sequence[JudgeRequest], attempts: int, weight_tolerance: float) -> list[Asked]:
    """A checked reply for each request. An invalid one is asked for again, with what was wrong; one that did not come
    is not, as the engine has tried already."""
    sent, asked = list(requests), dict[int, Asked]()
    waiting = list(range(len(sent)))
    for attempt in range(1, attempts + 1):
        invalid = []
        for place, text in zip(waiting, judge.reply([sent[place] for place in waiting]), strict=True):
            came = isinstance(text, str)
            reply = parse_reply(text, len(sent[place].answers), weight_tolerance) if came else text
            asked[place] = Asked(reply, attempt)
            if came and isinstance(reply, Dropped):
                sent[place] = replace(sent[place], attempt=attempt + 1, refused=RefusedReply(text, reply.detail))
                invalid.append(place)
        waiting = invalid
        if not waiting:
            break
    return [asked[place] for place in range(len(sent))]


def request_for(row: Mapping[str, Any], answers: Sequence[str], key: str) -> JudgeRequest:
    """The first request about some answers to a prompt row."""
    return JudgeRequest(
        key=key,
        question=row["question"],
        reference=row["reference"] or "",
        language=row["language"],
        images=tuple(image["bytes"] for image in row["images"]),
        answers=tuple(answers),
        attempt=1,
        scene=row["scene"],
    )


def build_judging(mode: Mode, settings: JudgeSettings, place: Workplace) -> BatchFn:
    """A function from prompts with candidates to one judgement per prompt."""
    judge = open_judge(settings, place)
    return lambda batch: judge_batch(batch, judge, mode, settings)


def open_judge(settings: JudgeSettings, place: Workplace) -> Judge:
    """Whoever judges, ready to reply."""
    if settings.engine is None:
        return SimulatedJudge(settings.name, settings.annotator)
    sampling = SamplingSettings(temperature=settings.temperature, max_new_tokens=settings.max_new_tokens)
    generator = open_generator(settings.engine, sampling, place.device, place.threads)
    return ChatJudge(settings.name, generator, settings.template)


def judge_batch(batch: pa.Table, judge: Judge, mode: Mode, settings: JudgeSettings) -> Outcome:
    """One judgement per prompt; a prompt with a reply that stays invalid is dropped with the raw text."""
    rows = batch.to_pylist()
    shown = [_shown(row, mode, settings.name) for row in rows]
    requests = [
        request_for(row, [text for _, text in answers], f"{mode} {row['prompt_id']} {place}")
        for row, lists in zip(rows, shown, strict=True)
        for place, answers in enumerate(lists)
    ]
    replies = iter(ask(judge, requests, settings.attempts, settings.weight_tolerance))
    judgements, refused = [], []
    for row, lists in zip(rows, shown, strict=True):
        made = [(answers, next(replies)) for answers in lists]
        trouble = next((asked.reply for _, asked in made if isinstance(asked.reply, Dropped)), None)
        if trouble is not None:
            refused.append(trouble.row(row["prompt_id"]))
        else:
            judgements.append(_judgement(row["prompt_id"], settings.name, made))
    return Outcome(pa.Table.from_pylist(judgements, schema=JUDGEMENTS), dropped_table(refused))


Shown = list[tuple[str, str]]
"""Answers by id and text, in the order in which a judge sees them."""


def _shown(row: Mapping[str, Any], mode: Mode, judge: str) -> list[Shown]:
    answers = [(answer["answer_id"], answer["text"]) for answer in row["answers"]]
    if mode == "pointwise":
        return [[answer] for answer in answers]
    order = shown_order([name for name, _ in answers], f"{judge} {row['prompt_id']}", 0)
    return [[answers[place] for place in order]]


def _judgement(prompt: str, judge: str, made: Sequence[tuple[Shown, Asked]]) -> dict[str, Any]:
    assessments = [
        {
            "answer_id": name,
            "overall": answer.overall,
            "stated_overall": answer.stated_overall,
            "weights": list(asked.reply.weights),
            "scores": list(answer.scores),
        }
        for shown, asked in made
        if isinstance(asked.reply, Reply)
        for (name, _), answer in zip(shown, asked.reply.answers, strict=True)
    ]
    return {
        "prompt_id": prompt,
        "judge": judge,
        "order": [assessment["answer_id"] for assessment in assessments],
        "assessments": assessments,
        "attempts": sum(asked.attempts for _, asked in made),
    }


READS = pa.schema(
    [
        *(PROMPTS.field(name) for name in ("prompt_id", "language", "images", "question", "reference", "scene")),
        CANDIDATES.field("answers"),
    ]
)
LISTWISE = MapStage(
    name="listwise", version=2, reads=READS, writes=JUDGEMENTS, build=functools.partial(build_judging, "listwise")
)
POINTWISE = MapStage(
    name="pointwise", version=2, reads=READS, writes=JUDGEMENTS, build=functools.partial(build_judging, "pointwise")
)
