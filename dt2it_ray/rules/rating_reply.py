"""What a judge's granular rating says, checked field by field; one that breaks the form is refused with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.attributes import ATTRIBUTES, MAX_RATING, MIN_RATING, attribute_values
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.rules.reply_json import NotOneObject, only_object


@dataclass(frozen=True)
class RatingReply:
    """A valid rating: the values of every answer in the order shown, each in the order of `ATTRIBUTES`."""

    answers: tuple[tuple[int, ...], ...]


class _Invalid(ValueError):
    """The reply breaks the form; the message says where."""


def parse_rating(text: str, num_answers: int) -> RatingReply | Dropped:
    """The reply to a request that showed `num_answers` answers, or why it is invalid, with the raw text as evidence.

    Only code fences, prose around the one JSON object and trailing commas are repaired. Every answer must be there once
    with all attributes as integers; unknown attributes are refused, other unknown keys are passed over.
    """
    try:
        return _read_reply(only_object(text), num_answers)
    except (NotOneObject, _Invalid) as trouble:
        return Dropped(DropReason.REPLY_INVALID, str(trouble), text)


def _read_reply(form: Mapping[str, Any], num_answers: int) -> RatingReply:
    answers = form.get("answers")
    if not isinstance(answers, list):
        raise _Invalid("the reply has no list `answers`")
    if len(answers) != num_answers:
        raise _Invalid(f"wrong number of answers: {len(answers)} for {num_answers} shown")
    by_index: dict[int, tuple[int, ...]] = {}
    for place, answer in enumerate(answers):
        where = f"answers[{place}]"
        index = _index(answer, where, num_answers)
        if index in by_index:
            raise _Invalid(f"duplicate index {index} in {where}")
        by_index[index] = _ratings(answer, where)
    return RatingReply(tuple(by_index[index] for index in sorted(by_index)))


def _index(answer: Any, where: str, num_answers: int) -> int:
    if not isinstance(answer, dict):
        raise _Invalid(f"{where} is not an object")
    index = answer.get("index")
    if type(index) is not int or not 1 <= index <= num_answers:
        raise _Invalid(f"{where}.index is {_shown(index)}, not an integer from 1 to {num_answers}")
    return index


def _ratings(answer: Mapping[str, Any], where: str) -> tuple[int, ...]:
    if not isinstance(answer.get("analysis"), str):
        raise _Invalid(f"{where} has no text `analysis`")
    values = answer.get("ratings")
    if not isinstance(values, dict):
        raise _Invalid(f"{where} has no object `ratings`")
    for name in ATTRIBUTES:
        if name not in values:
            raise _Invalid(f"{where}.ratings lacks the attribute {name}")
        if type(values[name]) is not int or not MIN_RATING <= values[name] <= MAX_RATING:
            shown = _shown(values[name])
            raise _Invalid(f"{where}.ratings.{name} is {shown}, not an integer from {MIN_RATING} to {MAX_RATING}")
    unknown = sorted(set(values) - set(ATTRIBUTES))
    if unknown:
        raise _Invalid(f"{where}.ratings has the unknown attribute {_shown(unknown[0])}")
    return attribute_values(values)


def _shown(value: Any) -> str:
    return ascii(value)[:40]
