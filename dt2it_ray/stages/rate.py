"""How answers are rated on the granular scale: all answers to a prompt in one reply, which is checked or refused."""

from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import AfterValidator, Field

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.granular import RATINGS
from dt2it_ray.data.rating_form import RATING
from dt2it_ray.data.scenes.rater import rate
from dt2it_ray.models.judging.chat_judge import ChatJudge
from dt2it_ray.models.protocols import Judge
from dt2it_ray.models.simulated_judge import SimulatedJudge
from dt2it_ray.rules.rating_reply import RatingReply, parse_rating
from dt2it_ray.stages.ask import READS, Asked, Shown, answers_shown, ask, asking_figures, request_for
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.judges import AnnotatorChoice, JudgeName, open_engine, with_own_names
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace


class RateSettings(AnnotatorChoice):
    """Who rates, and how often a reply is asked for."""

    name: JudgeName = "rater-0"
    """The rater's name in every rating and its step's folder; a simulated one's errors depend on it too."""
    max_new_tokens: int = Field(default=1024, ge=1)
    """A reply that is longer is cut off, and then invalid. Ours: half of a judge's, as it asks for fewer texts."""
    template: Literal["granular-1"] = "granular-1"
    """What it is told: five attributes from 0 to 4 (arXiv 2402.10884; wording ours). Another wording is another one."""


Raters = Annotated[tuple[RateSettings, ...], Field(min_length=1), AfterValidator(with_own_names)]
"""At least one rater, each with a name that no other has, however it is cased: names become folders."""


def build_rating(settings: RateSettings, place: Workplace) -> BatchFn:
    """A function from prompts with candidates to one rating of all of them per prompt."""
    rater = open_rater(settings, place)
    return EngineFn(lambda batch: rate_batch(batch, rater, settings.attempts), rater)


def open_rater(settings: RateSettings, place: Workplace) -> Judge:
    """Whoever rates, ready to reply.

    Raises:
        StoreError: its checkpoint or its cache cannot be read.
    """
    if settings.engine is None:
        return SimulatedJudge(settings.name, settings.annotator, rate)
    return ChatJudge(settings.name, open_engine(settings, settings.engine, place), settings.template, RATING)


def rate_batch(batch: pa.Table, rater: Judge, attempts: int) -> Outcome:
    """One rating per prompt; a prompt whose reply stays invalid is dropped with the raw text of every attempt."""
    rows = batch.to_pylist()
    shown = [answers_shown(row, rater.name, 0) for row in rows]
    requests = [
        request_for(row, [text for _, text in answers], f"granular {row['prompt_id']}")
        for row, answers in zip(rows, shown, strict=True)
    ]
    asked = ask(rater, requests, attempts, parse_rating)
    ratings, dropped = [], []
    for row, answers, told in zip(rows, shown, asked, strict=True):
        if isinstance(told.reply, Dropped):
            dropped.append(told.reply.row(row["prompt_id"]))
        else:
            ratings.append(_rating(row["prompt_id"], rater.name, answers, told.reply, told))
    return Outcome(pa.Table.from_pylist(ratings, schema=RATINGS), dropped_table(dropped), asking_figures(asked))


def _rating(prompt: str, rater: str, answers: Shown, reply: RatingReply, told: Asked[RatingReply]) -> dict[str, Any]:
    rated = [
        {"answer_id": name, "values": list(values), "characters": len(text)}
        for (name, text), values in zip(answers, reply.answers, strict=True)
    ]
    return {
        "prompt_id": prompt,
        "judge": rater,
        "order": [name for name, _ in answers],
        "ratings": rated,
        "attempts": told.attempts,
        "faults": [str(fault) for fault in told.faults],
    }


RATE = MapStage(name="rate", version=1, reads=READS, writes=RATINGS, build=build_rating)
