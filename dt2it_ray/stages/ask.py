"""How a judge is asked until its reply is valid, and what is kept of the replies that were not."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.protocols import Judge, JudgeRequest, RefusedReply
from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.judge_reply import Refused, Reply, parse_reply


@dataclass(frozen=True)
class Asked:
    """A valid reply, or why there is none with the raw text of all attempts; and what the attempts did wrong."""

    reply: Reply | Dropped
    attempts: int
    faults: tuple[Fault, ...]


@dataclass
class _Case:
    """A request as it is sent next, and what came of the attempts before."""

    request: JudgeRequest
    reply: Reply | Dropped | None = None
    refused: list[RefusedReply] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


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


def ask(judge: Judge, requests: Sequence[JudgeRequest], attempts: int, weight_tolerance: float) -> list[Asked]:
    """A checked reply for each request. An invalid one is asked for again, with what was wrong; one that did not come
    is not, as the engine has tried already."""
    cases = [_Case(request) for request in requests]
    waiting = cases
    for _ in range(attempts):
        if not waiting:
            break
        for case, text in zip(waiting, judge.reply([case.request for case in waiting]), strict=True):
            _take(case, text, weight_tolerance)
        waiting = [case for case in waiting if case.reply is None]
    return [_settled(case) for case in cases]


def asking_figures(asked: Iterable[Asked]) -> dict[str, int]:
    """How often a judge was asked and lost for good, and how often it broke each rule, as metrics."""
    told = Counter({"requests": 0, "attempts": 0, "lost": 0})
    for each in asked:
        told.update({"requests": 1, "attempts": each.attempts, "lost": isinstance(each.reply, Dropped)})
        told.update(f"faults.{fault}" for fault in each.faults)
    return dict(sorted(told.items()))


def _take(case: _Case, text: str | Dropped, weight_tolerance: float) -> None:
    if isinstance(text, Dropped):
        case.reply = replace(text, evidence="\n".join(filter(None, [_raw_text(case.refused), text.evidence])))
        return
    read = parse_reply(text, len(case.request.answers), weight_tolerance, case.request.answers)
    case.faults += read.faults
    if isinstance(read, Refused):
        case.refused.append(RefusedReply(text, read.detail))
        case.request = replace(case.request, attempt=case.request.attempt + 1, refused=case.refused[-1])
    else:
        case.reply = read


def _settled(case: _Case) -> Asked:
    if case.reply is not None:
        return Asked(case.reply, case.request.attempt, tuple(case.faults))
    lost = Dropped(DropReason.REPLY_INVALID, case.refused[-1].trouble, _raw_text(case.refused))
    return Asked(lost, len(case.refused), tuple(case.faults))


def _raw_text(refused: Sequence[RefusedReply]) -> str:
    told = [f"attempt {place}, {reply.trouble}:\n{reply.text}" for place, reply in enumerate(refused, start=1)]
    return "\n".join(told)
