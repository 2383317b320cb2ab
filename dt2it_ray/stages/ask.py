"""How a judge is asked until its reply is valid, and what is kept of the replies that were not."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

import pyarrow as pa

from dt2it_ray.data.chat import transcript
from dt2it_ray.data.dropped import ASKED_AGAIN, Dropped
from dt2it_ray.data.schema import CANDIDATES, PROMPTS, DropReason
from dt2it_ray.models.protocols import Judge, JudgeRequest, RefusedReply
from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.reply_fields import Refused
from dt2it_ray.rules.shown_order import shown_order
from dt2it_ray.stages.stage import UNANSWERED

PROMPT_COLUMNS = ("prompt_id", "language", "images", "history", "question", "reference", "scene")
READS = pa.schema(
    [
        *(PROMPTS.field(name) for name in PROMPT_COLUMNS),
        CANDIDATES.field("answers"),
    ]
)
"""What is read of a prompt to ask a judge about its answers."""

Shown = list[tuple[str, str]]
"""Answers by id and text, in the order in which a judge sees them in one request."""


class Checked(Protocol):
    """A valid reply of any form."""

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What was repaired or recomputed."""
        ...


ReplyT = TypeVar("ReplyT", bound=Checked)
ParseReply = Callable[[str, Sequence[str]], ReplyT | Refused]
"""A raw reply to a request that showed these answers, checked."""


@dataclass(frozen=True)
class Asked(Generic[ReplyT]):
    """A valid reply, or why there is none with the raw text of all attempts; and what the attempts did wrong."""

    reply: ReplyT | Dropped
    attempts: int
    faults: tuple[Fault, ...]


@dataclass
class _Case(Generic[ReplyT]):
    """A request as it is sent next, and what came of the attempts before."""

    request: JudgeRequest
    reply: ReplyT | Dropped | None = None
    refused: list[RefusedReply] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def answers_shown(row: Mapping[str, Any], judge: str, turn: int) -> Shown:
    """All answers to a prompt row in the order of a judge's first (0) or second (1) turn."""
    answers = [(answer["answer_id"], answer["text"]) for answer in row["answers"]]
    order = shown_order([name for name, _ in answers], f"{judge} {row['prompt_id']}", turn)
    return [answers[place] for place in order]


def request_for(row: Mapping[str, Any], answers: Sequence[str], key: str) -> JudgeRequest:
    """The first request about some answers to a prompt row."""
    return JudgeRequest(
        key=key,
        question=transcript(row["question"], row["history"], len(row["images"])),
        reference=row["reference"] or "",
        language=row["language"],
        images=tuple(image["bytes"] for image in row["images"]),
        answers=tuple(answers),
        attempt=1,
        scene=row["scene"],
    )


def ask(
    judge: Judge, requests: Sequence[JudgeRequest], attempts: int, parse: ParseReply[ReplyT]
) -> list[Asked[ReplyT]]:
    """A reply that passes `parse` for each request. An invalid one is asked for again, with what was wrong; one that
    did not come is not, as the engine has tried already."""
    cases = [_Case[ReplyT](request) for request in requests]
    waiting = cases
    for _ in range(attempts):
        if not waiting:
            break
        for case, text in zip(waiting, judge.reply([case.request for case in waiting]), strict=True):
            _take(case, text, parse)
        waiting = [case for case in waiting if case.reply is None]
    return [_settled(case) for case in cases]


def asking_figures(asked: Iterable[Asked[Any]]) -> dict[str, int]:
    """How often a judge was asked and lost for good, how often it broke each rule, and how often its server failed to
    answer, as metrics."""
    told = Counter({"requests": 0, "attempts": 0, "lost": 0})
    for each in asked:
        told.update({"requests": 1, "attempts": each.attempts, "lost": isinstance(each.reply, Dropped)})
        told.update(f"faults.{fault}" for fault in each.faults)
        if isinstance(each.reply, Dropped) and each.reply.reason in ASKED_AGAIN:
            told[UNANSWERED] += 1
    return dict(sorted(told.items()))


def _take(case: _Case[ReplyT], text: str | Dropped, parse: ParseReply[ReplyT]) -> None:
    if isinstance(text, Dropped):
        case.reply = replace(text, evidence="\n".join(filter(None, [_raw_text(case.refused), text.evidence])))
        return
    read = parse(text, case.request.answers)
    case.faults += read.faults
    if isinstance(read, Refused):
        case.refused.append(RefusedReply(text, read.detail))
        case.request = replace(case.request, attempt=case.request.attempt + 1, refused=case.refused[-1])
    else:
        case.reply = read


def _settled(case: _Case[ReplyT]) -> Asked[ReplyT]:
    if case.reply is not None:
        return Asked(case.reply, case.request.attempt, tuple(case.faults))
    lost = Dropped(DropReason.REPLY_INVALID, case.refused[-1].trouble, _raw_text(case.refused))
    return Asked(lost, len(case.refused), tuple(case.faults))


def _raw_text(refused: Sequence[RefusedReply]) -> str:
    told = [f"attempt {place}, {reply.trouble}:\n{reply.text}" for place, reply in enumerate(refused, start=1)]
    return "\n".join(told)
