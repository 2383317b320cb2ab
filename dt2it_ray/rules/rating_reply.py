"""What a judge's granular rating says, checked field by field; one that breaks the form is refused with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dt2it_ray.data.attributes import ATTRIBUTES, MAX_RATING, MIN_RATING, attribute_values
from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.judge_reply import Refused
from dt2it_ray.rules.reply_json import NotOneObject, find_object

REPLY_FIELDS = ("answers",)
ANSWER_FIELDS = ("index", "analysis", "ratings")


@dataclass(frozen=True)
class RatingReply:
    """A valid rating: the values of every answer in the order shown, each in the order of `ATTRIBUTES`."""

    answers: tuple[tuple[int, ...], ...]
    faults: tuple[Fault, ...] = field(default=(), compare=False)
    """What was repaired."""


class _Invalid(ValueError):
    """The reply breaks the form; the message says where."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def parse_rating(text: str, shown: Sequence[str]) -> RatingReply | Refused:
    """The reply to a request that showed these answers, or why it is invalid.

    Only code fences, prose around the one JSON object and trailing commas are repaired. Every answer must be there once
    with all attributes as integers, and nothing else. An object that stands in one of the answers is refused.
    """
    try:
        found = find_object(text)
    except NotOneObject as trouble:
        return Refused((trouble.fault,), str(trouble))
    if any(_squeezed(found.text) in _squeezed(answer) for answer in shown):
        quoted = "the JSON object stands in one of the answers; rate in your own words"
        return Refused((*found.repairs, Fault.QUOTED_OBJECT), quoted)
    try:
        return RatingReply(_read_answers(found.tree, len(shown)), found.repairs)
    except _Invalid as trouble:
        return Refused((*found.repairs, trouble.fault), str(trouble))


def _read_answers(form: Mapping[str, Any], num_answers: int) -> tuple[tuple[int, ...], ...]:
    _refuse_unknown(form, REPLY_FIELDS, "the reply", Fault.UNKNOWN_FIELD)
    answers = form.get("answers")
    if not isinstance(answers, list):
        raise _Invalid(Fault.MISSING_FIELD, "the reply has no list `answers`")
    if len(answers) != num_answers:
        fault = Fault.MISSING_ANSWER if len(answers) < num_answers else Fault.SURPLUS_ANSWER
        raise _Invalid(fault, f"wrong number of answers: {len(answers)} for {num_answers} shown")
    by_index: dict[int, tuple[int, ...]] = {}
    for place, answer in enumerate(answers):
        where = f"answers[{place}]"
        index = _index(answer, where, num_answers)
        if index in by_index:
            raise _Invalid(Fault.DUPLICATE_INDEX, f"duplicate index {index} in {where}")
        by_index[index] = _ratings(answer, where)
    return tuple(by_index[index] for index in sorted(by_index))


def _index(answer: Any, where: str, num_answers: int) -> int:
    if not isinstance(answer, dict):
        raise _Invalid(Fault.MISSING_FIELD, f"{where} is not an object")
    index = answer.get("index")
    if type(index) is not int or not 1 <= index <= num_answers:
        detail = f"{where}.index is {_shown(index)}, not an integer from 1 to {num_answers}"
        raise _Invalid(Fault.INDEX_OUT_OF_RANGE, detail)
    return index


def _ratings(answer: Mapping[str, Any], where: str) -> tuple[int, ...]:
    _refuse_unknown(answer, ANSWER_FIELDS, where, Fault.UNKNOWN_FIELD)
    if not isinstance(answer.get("analysis"), str):
        raise _Invalid(Fault.MISSING_TEXT, f"{where} has no text `analysis`")
    values = answer.get("ratings")
    if not isinstance(values, dict):
        raise _Invalid(Fault.MISSING_FIELD, f"{where} has no object `ratings`")
    for name in ATTRIBUTES:
        if name not in values:
            raise _Invalid(Fault.MISSING_CRITERION, f"{where}.ratings lacks the attribute {name}")
        if type(values[name]) is not int or not MIN_RATING <= values[name] <= MAX_RATING:
            detail = f"{_shown(values[name])}, not an integer from {MIN_RATING} to {MAX_RATING}"
            raise _Invalid(Fault.SCORE_OUT_OF_RANGE, f"{where}.ratings.{name} is {detail}")
    _refuse_unknown(values, ATTRIBUTES, f"{where}.ratings", Fault.UNKNOWN_CRITERION)
    return attribute_values(values)


def _refuse_unknown(form: Mapping[str, Any], fields: Sequence[str], where: str, fault: Fault) -> None:
    unknown = sorted(set(form) - set(fields))
    if unknown:
        raise _Invalid(fault, f"{where} has the unknown field {_shown(unknown[0])}")


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _shown(value: Any) -> str:
    return ascii(value)[:40]
