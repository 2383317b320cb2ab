"""Who judges: one judge with its engine, and panels of several."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from dt2it_ray.data.scenes.annotator import AnnotatorSettings
from dt2it_ray.models.engines import EngineSettings, open_generator
from dt2it_ray.models.judging.chat_judge import ChatJudge
from dt2it_ray.models.model_settings import CollateSettings, SamplingSettings
from dt2it_ray.models.protocols import Generator, Judge
from dt2it_ray.models.simulated_judge import SimulatedJudge
from dt2it_ray.rules.judge_reply import Reply, parse_reply
from dt2it_ray.rules.rubric import WEIGHT_TOLERANCE
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ask import ParseReply
from dt2it_ray.stages.stage import Workplace

JudgeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
"""A name that can be a folder."""


class AnnotatorChoice(Settings):
    """Who replies about answers, and how often it is asked."""

    name: JudgeName = "annotator-0"
    """The judge's name in every judgement and its step's folder; a simulated annotator's errors depend on it too."""
    annotator: AnnotatorSettings = AnnotatorSettings()
    """The simulated annotator of the embedded world, which replies unless there is an `engine`."""
    engine: EngineSettings | None = None
    """The chat model that replies."""
    temperature: float = Field(default=0, ge=0, le=5)
    """Of the chat model's replies; 0 takes the likeliest tokens."""
    max_new_tokens: int = Field(default=2048, ge=1)
    """A reply that is longer is cut off, and then invalid."""
    collate: CollateSettings = CollateSettings()
    """Limits of the chat model's prompt and of the pixels in it, for a checkpoint; a server has limits of its own."""
    attempts: int = Field(default=3, ge=1, le=10)
    """Requests per reply before it is given up (arXiv 2604.19544: 3)."""

    @model_validator(mode="after")
    def _has_who_heeds_its_settings(self) -> "AnnotatorChoice":
        for name in _idle_names(self.engine):
            if getattr(self, name) != type(self).model_fields[name].default:
                asked = f"an engine of kind: {self.engine.kind}" if self.engine else "a simulated annotator"
                raise ValueError(f"{name} does nothing for {asked}; leave it out")
        return self


def _idle_names(engine: EngineSettings | None) -> tuple[str, ...]:
    """The settings that do nothing for who replies. They would enter the fingerprint all the same."""
    if engine is None:
        return ("temperature", "max_new_tokens", "collate")
    return ("annotator", "collate") if engine.kind == "endpoint" else ("annotator",)


class JudgeSettings(AnnotatorChoice):
    """Who judges, how, and what is accepted of a reply."""

    template: Literal["rubric-1"] = "rubric-1"
    """What it is told. Another wording is another template."""
    weight_tolerance: float = Field(default=WEIGHT_TOLERANCE, ge=0, le=0.5)
    """How far the criterion weights may sum from 1."""


ChoiceT = TypeVar("ChoiceT", bound=AnnotatorChoice)


def with_own_names(judges: tuple[ChoiceT, ...]) -> tuple[ChoiceT, ...]:
    """The judges, none of whom has the name of another, however it is cased.

    Raises:
        ValueError: two have.
    """
    names = [judge.name.lower() for judge in judges]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"several judges are called {doubled[0]!r}; give each a name of its own")
    return judges


Panel = Annotated[tuple[JudgeSettings, ...], Field(min_length=1), AfterValidator(with_own_names)]
"""At least one judge, each with a name that no other has, however it is cased: names become folders."""


class ListwiseSettings(Settings):
    """The judges that see all answers of a prompt at once."""

    judges: Panel = (JudgeSettings(),)
    """Each has a step of its own. Their gaps between two answers are averaged."""
    orders: Literal[1, 2] = 1
    """In how many orders each judge sees the answers; the second is the first reversed (arXiv 2604.19544 has a second
    pass in another order). Two cost twice and cancel the favour of a position."""


class PointwiseSettings(Settings):
    """The judges that see one answer at a time."""

    judges: Panel = (JudgeSettings(),)
    """Each has a step of its own. Their gaps between two answers are averaged."""


class JudgingSettings(Settings):
    """One judge of a panel, as its step needs it."""

    judge: JudgeSettings = JudgeSettings()
    orders: Literal[1, 2] = 1
    """In how many orders it sees the answers of a prompt."""


def rubric_parser(settings: JudgeSettings) -> ParseReply[Reply]:
    """What a judge's replies are checked with."""
    return lambda text, shown: parse_reply(text, len(shown), settings.weight_tolerance, shown)


def open_judge(settings: JudgeSettings, place: Workplace) -> Judge:
    """Whoever judges, ready to reply.

    Raises:
        StoreError: its checkpoint or its cache cannot be read.
    """
    if settings.engine is None:
        return SimulatedJudge(settings.name, settings.annotator)
    return ChatJudge(settings.name, open_engine(settings, settings.engine, place), settings.template)


def open_engine(settings: AnnotatorChoice, engine: EngineSettings, place: Workplace) -> Generator:
    """The chat model of a judge, ready to reply.

    Raises:
        StoreError: its checkpoint or its cache cannot be read.
    """
    sampling = SamplingSettings(
        temperature=settings.temperature, max_new_tokens=settings.max_new_tokens, collate=settings.collate
    )
    return open_generator(engine, sampling, place.device, place.threads, place.replies)
