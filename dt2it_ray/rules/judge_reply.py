"""What a judge's rubric reply says, checked field by field; a reply that breaks the form is refused with the reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.criteria import CRITERIA, MAX_SCORE, MIN_SCORE
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.rules.reply_json import NotOneObject, only_object
from dt2it_ray.rules.rubric import WEIGHT_TOLERANCE, overall, weights_sum_to_one

ROUNDING = 0.01 + 1e-9
"""A stated overall this near to the recomputed one was rounded another way (7.125 to 7.13), not miscalculated."""


@dataclass(frozen=True)
class AnswerReply:
    """One answer as the judge saw it; `analysis` and `scores` are in the order of `CRITERIA`."""

    analysis: tuple[str, ...]
    scores: tuple[int, ...]
    overall: float
    """Recomputed from weights and scores."""
    stated_overall: float
    """The judge's own arithmetic; kept as evidence, never used."""

    @property
    def arithmetic_holds(self) -> bool:
        """Whether the judge computed the overall that its weights and scores give."""
        return abs(self.stated_overall - self.overall) <= ROUNDING


@dataclass(frozen=True)
class Reply:
    """A valid rubric reply; `weights` are in the order of `CRITERIA`, `answers` in the order shown."""

    reference: str
    weights: tuple[float, ...]
    answers: tuple[AnswerReply, ...]


class _Invalid(ValueError):
    """The reply breaks the form; the message says where."""


def parse_reply(text: str, num_answers: int, weight_tolerance: float = WEIGHT_TOLERANCE) -> Reply | Dropped:
    """The reply to a request that showed `num_answers` answers, or why it is invalid, with the raw text as evidence.

    Only code fences, prose around the one JSON object and trailing commas are repaired. Every field of the form must
    be there and of its type; unknown criteria are refused, other unknown keys are passed over.
    """
    try:
        return _read_reply(only_object(text), num_answers, weight_tolerance)
    except (NotOneObject, _Invalid) as trouble:
        return Dropped(DropReason.REPLY_INVALID, str(trouble), text)


def _read_reply(form: Mapping[str, Any], num_answers: int, tolerance: float) -> Reply:
    reference = _text(form, "reference", "the reply")
    stated = _by_criterion(form, "weights", "the reply")
    weights = tuple(_weight(stated[criterion], f"weights.{criterion}") for criterion in CRITERIA)
    if not weights_sum_to_one(weights, tolerance):
        raise _Invalid(f"the weights sum to {math.fsum(weights):.4f}, not to 1 within {tolerance}")
    answers = form.get("answers")
    if not isinstance(answers, list):
        raise _Invalid("the reply has no list `answers`")
    if len(answers) != num_answers:
        raise _Invalid(f"wrong number of answers: {len(answers)} for {num_answers} shown")
    by_index: dict[int, AnswerReply] = {}
    for place, answer in enumerate(answers):
        index = _index(answer, f"answers[{place}]", num_answers)
        if index in by_index:
            raise _Invalid(f"duplicate index {index} in answers[{place}]")
        by_index[index] = _read_answer(answer, f"answers[{place}]", weights)
    return Reply(reference, weights, tuple(by_index[index] for index in sorted(by_index)))


def _read_answer(answer: Mapping[str, Any], where: str, weights: tuple[float, ...]) -> AnswerReply:
    analysis = _by_criterion(answer, "analysis", where)
    stated = _by_criterion(answer, "scores", where)
    scores = tuple(_score(stated[criterion], f"{where}.scores.{criterion}") for criterion in CRITERIA)
    return AnswerReply(
        analysis=tuple(_text(analysis, criterion, f"{where}.analysis") for criterion in CRITERIA),
        scores=scores,
        overall=overall(weights, scores),
        stated_overall=_number(answer.get("overall"), f"{where}.overall"),
    )


def _index(answer: Any, where: str, num_answers: int) -> int:
    if not isinstance(answer, dict):
        raise _Invalid(f"{where} is not an object")
    index = answer.get("index")
    if type(index) is not int or not 1 <= index <= num_answers:
        raise _Invalid(f"{where}.index is {_shown(index)}, not an integer from 1 to {num_answers}")
    return index


def _by_criterion(form: Mapping[str, Any], field: str, where: str) -> Mapping[str, Any]:
    values = form.get(field)
    if not isinstance(values, dict):
        raise _Invalid(f"{where} has no object `{field}`")
    missing = [criterion for criterion in CRITERIA if criterion not in values]
    if missing:
        raise _Invalid(f"`{field}` of {where} lacks the criterion {missing[0]}")
    unknown = sorted(set(values) - set(CRITERIA))
    if unknown:
        raise _Invalid(f"`{field}` of {where} has the unknown criterion {_shown(unknown[0])}")
    return values


def _text(form: Mapping[str, Any], field: str, where: str) -> str:
    value = form.get(field)
    if not isinstance(value, str):
        raise _Invalid(f"{where} has no text `{field}`")
    return value


def _score(value: Any, where: str) -> int:
    if type(value) is not int or not MIN_SCORE <= value <= MAX_SCORE:
        raise _Invalid(f"{where} is {_shown(value)}, not an integer from {MIN_SCORE} to {MAX_SCORE}")
    return value


def _weight(value: Any, where: str) -> float:
    weight = _number(value, where)
    if not 0 <= weight <= 1:
        raise _Invalid(f"{where} is {_shown(value)}, not a weight from 0 to 1")
    return weight


def _number(value: Any, where: str) -> float:
    # A whole number of hundreds of digits is valid JSON and more than a float can hold.
    if type(value) not in (int, float) or not -1e9 < value < 1e9:
        raise _Invalid(f"{where} is {_shown(value)}, not a number")
    return float(value)


def _shown(value: Any) -> str:
    return ascii(value)[:40]
