"""How answers are rated on the granular scale: all answers to a prompt in one reply, which is checked or refused."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import AfterValidator, Field

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.data.schema import CANDIDATES, PROMPTS, RATINGS, DropReason
from dt2it_ray.models.engines import EngineSettings, open_generator
from dt2it_ray.models.judging.chat_rater import ChatRater
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import Judge, JudgeRequest, RefusedReply
from dt2it_ray.models.simulated_rater import SimulatedRater
from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.judge_reply import Refused
from dt2it_ray.rules.rating_reply import RatingReply, parse_rating
from dt2it_ray.rules.shown_order import shown_order
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ask import request_for
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


class RateSettings(Settings):
    """Who rates, and how often a reply is asked for."""

    name: str = Field(default="rater-0", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)
    """The rater's name in every rating and its step's folder; a simulated one's errors depend on it too."""
    annotator: AnnotatorSettings = AnnotatorSettings()
    """The simulated rater of the embedded world, which rates unless there is an `engine`."""
    engine: EngineSettings | None = None
    """The chat model that rates."""
    temperature: float = Field(default=0, ge=0, le=5)
    """Of the chat model's replies; 0 takes the likeliest tokens."""
    max_new_tokens: int = Field(default=1024, ge=1)
    """A reply that is longer is cut off, and then invalid. Ours: half of a judge's, as it asks for fewer texts."""
    template: Literal["granular-1"] = "granular-1"
    """What it is told: five attributes from 0 to 4 (arXiv 2402.10884; wording ours). Another wording is another one."""
    attempts: int = Field(default=3, ge=1, le=10)
    """Requests per reply before it is given up, as for judges (arXiv 2604.19544: 3)."""


def _with_own_names(raters: Sequence[RateSettings]) -> tuple[RateSettings, ...]:
    doubled = [name for name, count in Counter(rater.name.lower() for rater in raters).items() if count > 1]
    if doubled:
        raise ValueError(f"several raters are called {doubled[0]!r}; give each a name of its own")
    return tuple(raters)


Raters = Annotated[tuple[RateSettings, ...], Field(min_length=1), AfterValidator(_with_own_names)]
"""At least one rater, each with a name that no other has, however it is cased: names become folders."""


@dataclass
class Asking:
    """A request on its way to a valid rating, as it is sent next, and what came of the attempts before."""

    request: JudgeRequest
    reply: RatingReply | Dropped | None = None
    refused: list[RefusedReply] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def take(self, text: str | Dropped) -> None:
        """Read what came. An invalid reply leaves `reply` None and is fed back with the next request."""
        if isinstance(text, Dropped):
            self.reply = replace(text, evidence="\n".join(filter(None, [self.raw_text(), text.evidence])))
            return
        read = parse_rating(text, self.request.answers)
        self.faults += read.faults
        if isinstance(read, Refused):
            self.refused.append(RefusedReply(text, read.detail))
            self.request = replace(self.request, attempt=self.request.attempt + 1, refused=self.refused[-1])
        else:
            self.reply = read

    def give_up(self) -> None:
        """Settle for a refusal with the raw text of every attempt."""
        self.reply = Dropped(DropReason.REPLY_INVALID, self.refused[-1].trouble, self.raw_text())

    def attempts(self) -> int:
        """How many replies were asked for, once there is a `reply`."""
        return len(self.refused) + (not self.gave_up())

    def gave_up(self) -> bool:
        """Whether every attempt was refused."""
        return isinstance(self.reply, Dropped) and self.reply.reason == DropReason.REPLY_INVALID

    def raw_text(self) -> str:
        """Every refused reply after what was wrong with it."""
        told = [f"attempt {place}, {reply.trouble}:\n{reply.text}" for place, reply in enumerate(self.refused, start=1)]
        return "\n".join(told)


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
    asked = [
        Asking(request_for(row, [text for _, text in answers], f"granular {row['prompt_id']}"))
        for row, answers in zip(rows, shown, strict=True)
    ]
    ask_for_ratings(rater, asked, attempts)
    ratings, dropped = [], []
    for row, answers, asking in zip(rows, shown, asked, strict=True):
        if isinstance(asking.reply, Dropped):
            dropped.append(asking.reply.row(row["prompt_id"]))
        elif asking.reply is not None:
            ratings.append(_rating(row["prompt_id"], rater.name, answers, asking.reply, asking))
    return Outcome(pa.Table.from_pylist(ratings, schema=RATINGS), dropped_table(dropped), _figures(asked))


def ask_for_ratings(rater: Judge, asked: Sequence[Asking], attempts: int) -> None:
    """Fill in the reply of each. An invalid one is asked for again, with what was wrong; one that did not come is not,
    as the engine has tried already."""
    waiting = list(asked)
    for _ in range(attempts):
        if not waiting:
            return
        for asking, text in zip(waiting, rater.reply([each.request for each in waiting]), strict=True):
            asking.take(text)
        waiting = [asking for asking in waiting if asking.reply is None]
    for asking in waiting:
        asking.give_up()


def _figures(asked: Sequence[Asking]) -> dict[str, int]:
    """How often the rater was asked and lost for good, and how often it broke each rule."""
    told = Counter({"requests": len(asked), "attempts": sum(each.attempts() for each in asked)})
    told["lost"] = sum(isinstance(each.reply, Dropped) for each in asked)
    told.update(f"faults.{fault}" for each in asked for fault in each.faults)
    return dict(sorted(told.items()))


Shown = list[tuple[str, str]]
"""Answers by id and text, in the order in which a rater sees them."""


def _shown(row: Mapping[str, Any], rater: str) -> Shown:
    answers = [(answer["answer_id"], answer["text"]) for answer in row["answers"]]
    order = shown_order([name for name, _ in answers], f"{rater} {row['prompt_id']}", 0)
    return [answers[place] for place in order]


def _rating(prompt: str, rater: str, answers: Shown, reply: RatingReply, asking: Asking) -> dict[str, Any]:
    rated = [
        {"answer_id": name, "values": list(values), "characters": len(text)}
        for (name, text), values in zip(answers, reply.answers, strict=True)
    ]
    return {
        "prompt_id": prompt,
        "judge": rater,
        "order": [name for name, _ in answers],
        "ratings": rated,
        "attempts": asking.attempts(),
        "faults": [str(fault) for fault in asking.faults],
    }


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
