"""What an HTTP answer of a chat server means: a reply, a fault of the request, or trouble that may pass."""

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, Field, ValidationError

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StageFailed

PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 that another try may change."""
REFUSING = frozenset({400, 413, 422})
"""Statuses that blame this request; others would end every request alike."""
EVIDENCE_CHARACTERS = 2000


@dataclass(frozen=True)
class Choice:
    """One of the answers to a request."""

    text: str
    finish_reason: str


@dataclass(frozen=True)
class ChatReply:
    """The answers to a request, at least one, and the tokens that all of it took (0 if the server does not tell)."""

    choices: tuple[Choice, ...]
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Trouble:
    """Why a try failed that is worth repeating, and how long the server asks to wait."""

    what: str
    evidence: str = ""
    wait_s: float | None = None
    unsent: bool = False
    """There was no server to send it to."""


class _Message(BaseModel):
    content: str | None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def read_reply(status: int, headers: Mapping[str, str], content: bytes) -> ChatReply | Dropped | Trouble:
    """What the server said.

    Raises:
        StageFailed: it will not answer any request of this kind (wrong key, unknown model, wrong address).
    """
    evidence = content[:EVIDENCE_CHARACTERS].decode("utf-8", "replace")
    if status in PASSING or status >= 500:
        return Trouble(f"status {status}", evidence, retry_after_s(headers.get("retry-after", "")))
    if status in REFUSING:
        return Dropped(DropReason.REQUEST_REFUSED, f"the server refused the request with status {status}", evidence)
    if status != 200:
        raise StageFailed(
            f"the server answers with status {status}: {evidence[:300]}. Check the url, the model's name and the key."
        )
    try:
        told = _Completion.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        return Trouble(f"the body is no chat completion ({where}: {problem['msg']})", evidence)
    usage = told.usage or _Usage()
    choices = tuple(Choice(choice.message.content or "", choice.finish_reason or "stop") for choice in told.choices)
    return ChatReply(choices, usage.prompt_tokens, usage.completion_tokens)


def retry_after_s(value: str) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or a date (RFC 9110, 10.2.3); None without one."""
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
