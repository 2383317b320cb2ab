"""What a stage may ask of a model: generate answers, judge them, score them. Imports no model library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dt2it_ray.data.chat import Message, answered
from dt2it_ray.data.dropped import Dropped


@dataclass(frozen=True)
class Conversation:
    """Chat messages that end with an assistant turn, and the encoded images of their image parts, in order.

    Without a system message, a reward model puts its own in front."""

    messages: tuple[Message, ...]
    images: tuple[bytes, ...]
    critique: str | None = None
    """What somebody wrote of the last answer, for reward models that read critiques; it stands behind the answer."""


def reward_conversation(prompt: Mapping[str, Any], answer: str, critique: str | None = None) -> Conversation:
    """What a reward model reads for an answer to a prompt row, of which `question`, `images` and `history` count."""
    contents = tuple(image["bytes"] or b"" for image in prompt["images"] or ())
    messages = answered(prompt["question"], len(contents), answer, prompt["history"])
    return Conversation(tuple(messages), contents, critique)


@dataclass(frozen=True)
class GenerationRequest:
    """A prompt to answer `samples` times. Sampling depends on `key` and the seed only, never on its neighbours.

    `schema` is the JSON schema of the answer, for engines that can be held to one; others pass it over."""

    key: str
    messages: tuple[Message, ...]
    images: tuple[bytes, ...]
    samples: int
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Completion:
    """One sampled answer. `finish_reason` is `stop` or `length` (cut off at the token limit)."""

    text: str
    finish_reason: str
    tokens: int


@dataclass(frozen=True)
class RefusedReply:
    """A reply that breaks the form, and where it does."""

    text: str
    trouble: str


@dataclass(frozen=True)
class JudgeRequest:
    """Answers to be judged in the order given. `refused` is the reply to the attempt before, if there was one; `scene`
    is planted truth that only simulated annotators look at."""

    key: str
    question: str
    reference: str
    language: str
    images: tuple[bytes, ...]
    answers: tuple[str, ...]
    attempt: int
    scene: str | None = None
    refused: RefusedReply | None = None


class Generator(Protocol):
    """Samples answers from a multimodal model."""

    def generate(self, requests: Sequence[GenerationRequest]) -> list[list[Completion] | Dropped]: ...


class Judge(Protocol):
    """Replies to judge requests as text, which should be JSON in the form that the judge is asked for (a rubric, or
    ratings by attribute) and may be malformed; `Dropped` where no reply came."""

    name: str

    def reply(self, requests: Sequence[JudgeRequest]) -> Sequence[str | Dropped]: ...


class Scorer(Protocol):
    """Rewards of conversations by one reward model; higher is better, the scale is the model's own."""

    fingerprint: str

    def score(self, conversations: Sequence[Conversation]) -> list[float | Dropped]: ...
