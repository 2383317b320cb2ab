"""How answers are rated on the granular scale: all answers to a prompt in one reply, which is checked or refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.schema import CANDIDATES, PROMPTS, RATINGS
from dt2it_ray.models.engines import EngineSettings, open_generator
from dt2it_ray.models.judging.chat_rater import ChatRater
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import Judge, JudgeRequest, RefusedReply
from dt2it_ray.models.simulated_rater import SimulatedRater
from dt2it_ray.rules.rating_reply import RatingReply, parse_rating
from dt2it_ray.rules.shown_order import shown_order
from dt2it_ray.settings import Settings
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


class RateSettings(Settings):
    """Who rates, and how often a reply is asked for."""

    name: str = "rater-0"
    """The rater's name in every rating; a simulated one's errors depend on it too."""
    annotator: AnnotatorSettings = AnnotatorSettings()
    """The simulated rater of the embedded world, which rates unless there is an `engine`."""
    engine: EngineSettings | None = None
    """The chat model that rates."""
    temperature: float = Field(default=0, ge=0, le=5)
    """Of the chat model's replies; 0 takes the likeliest tokens."""
    max_new_tokens: int = Field(default=1024, ge=1)
    """A reply that is longer is cut off, and then invalid. Ours: four short analyses and twenty values take 400."""
    template: Literal["granular-1"] = "granular-1"
    """What it is told: five attributes from 0 to 4 (arXiv 2402.10884; wording ours). Another wording is another one."""
    attempts: int = Field(default=3, ge=1, le=10)
    """Requests per reply before it is given up, as for judges (arXiv 2604.19544: 3)."""


@dataclass
class Asking:
    """One request on its way to a valid reply; `refused` holds the raw replies that were not."""

    request: JudgeRequest
    reply: RatingReply | Dropped | None = None
    refused: list[str] = field(default_factory=list)

    @property
    def attempts(self) -> int:
        """How many replies were asked for."""
        return self.request.attempt


def build_rating(settings: RateSettings, place: Workplace) -> BatchFn:
    """A function from prompts with candidates to one rating of all of them per prompt."""
    if settings.engine is None:
        rater = SimulatedRater(settings.name, settings.annotator)
        return EngineFn(lambda batch: rate_batch(batch, rater, settings.attempts), rater)
    sampling = SamplingSettings(temperature=settings.temperature, max_new_tokens=settings.max_new_tokens)
    generator = open_generator(settings.engine, sampling, place.device, place.threads)
    chat_rater = ChatRater(settings.name, generator, settings.template)
    return EngineFn(lambda batch: rate_batch(batch, chat_rater, settings.attempts), generator)


def rate_batch(batch: pa.Table, rater: Judge, attempts: int) -> Outcome:
    """One rating per prompt; a prompt whose reply stays invalid is dropped with the raw text of every attempt."""
    rows = batch.to_pylist()
    shown = [_shown(row, rater.name) for row in rows]
    asked = [Asking(_request(row, answers)) for row, answers in zip(rows, shown, strict=True)]
    ask_for_ratings(rater, asked, attempts)
    ratings, dropped = [], []
    for row, answers, asking in zip(rows, shown, asked, strict=True):
        if isinstance(asking.reply, RatingReply):
            ratings.append(_rating(row["prompt_id"], rater.name, answers, asking.reply, asking.attempts))
        elif asking.reply is not None:
            dropped.append(_with_all_attempts(asking.reply, asking.refused).row(row["prompt_id"]))
    metrics = {
        "rating_attempts": sum(asking.attempts for asking in asked),
        "rating_replies_refused": sum(len(asking.refused) for asking in asked),
    }
    return Outcome(pa.Table.from_pylist(ratings, schema=RATINGS), dropped_table(dropped), metrics)


def ask_for_ratings(rater: Judge, asked: Sequence[Asking], attempts: int) -> None:
    """Fill in the reply of each. An invalid one is asked for again, with what was wrong; one that did not come is not,
    as the engine has tried already."""
    waiting = list(asked)
    for attempt in range(1, attempts + 1):
        invalid = []
        for asking, text in zip(waiting, rater.reply([each.request for each in waiting]), strict=True):
            asking.reply = parse_rating(text, len(asking.request.answers)) if isinstance(text, str) else text
            if isinstance(text, str) and isinstance(asking.reply, Dropped):
                asking.refused.append(text)
                invalid.append(asking)
        if not invalid or attempt == attempts:
            return
        for asking in invalid:
            _ask_again(asking)
        waiting = invalid


def _ask_again(asking: Asking) -> None:
    assert isinstance(asking.reply, Dropped)
    refused = RefusedReply(asking.refused[-1], asking.reply.detail)
    asking.request = replace(asking.request, attempt=asking.attempts + 1, refused=refused)


def _with_all_attempts(trouble: Dropped, refused: Sequence[str]) -> Dropped:
    if not refused:
        return trouble
    attempts = [f"[attempt {number}]\n{text}" for number, text in enumerate(refused, start=1)]
    return replace(trouble, evidence="\n".join(attempts))


Shown = list[tuple[str, str]]
"""Answers by id and text, in the order in which a rater sees them."""


def _shown(row: Mapping[str, Any], rater: str) -> Shown:
    answers = [(answer["answer_id"], answer["text"]) for answer in row["answers"]]
    order = shown_order([name for name, _ in answers], f"{rater} {row['prompt_id']}", 0)
    return [answers[place] for place in order]


def _request(row: Mapping[str, Any], answers: Shown) -> JudgeRequest:
    return JudgeRequest(
        key=f"granular {row['prompt_id']}",
        question=row["question"],
        reference=row["reference"] or "",
        language=row["language"],
        images=tuple(image["bytes"] for image in row["images"]),
        answers=tuple(text for _, text in answers),
        attempt=1,
        scene=row["scene"],
    )


def _rating(prompt: str, rater: str, answers: Shown, reply: RatingReply, attempts: int) -> dict[str, Any]:
    rated = [
        {"answer_id": name, "values": list(values), "characters": len(text)}
        for (name, text), values in zip(answers, reply.answers, strict=True)
    ]
    order = [name for name, _ in answers]
    return {"prompt_id": prompt, "judge": rater, "order": order, "ratings": rated, "attempts": attempts}


RATE = MapStage(
    name="rate",
    version=1,
    reads=pa.schema(
        [
            *(PROMPTS.field(name) for name in ("prompt_id", "language", "images", "question", "reference", "scene")),
            CANDIDATES.field("answers"),
        ]
    ),
    writes=RATINGS,
    build=build_rating,
)
