"""What a judge's granular rating says, checked field by field; one that breaks the form is refused with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dt2it_ray.data.attributes import ATTRIBUTES, MAX_RATING, MIN_RATING, attribute_values
from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.reply_fields import (
    BrokenForm,
    Refused,
    object_at,
    read_answers,
    read_object,
    refuse_unknown,
    text_at,
    whole_number,
)
from dt2it_ray.rules.reply_json import FoundObject

REPLY_FIELDS = ("answers",)
ANSWER_FIELDS = ("index", "analysis", "ratings")


@dataclass(frozen=True)
class RatingReply:
    """A valid rating: the values of every answer in the order shown, each in the order of `ATTRIBUTES`."""

    answers: tuple[tuple[int, ...], ...]
    faults: tuple[Fault, ...] = field(default=(), compare=False)
    """What was repaired."""


def parse_rating(text: str, shown: Sequence[str]) -> RatingReply | Refused:
    """The reply to a request that showed these answers, or why it is invalid.

    Only code fences, prose around the one JSON object and trailing commas are repaired. Every answer must be there once
    with all attributes as integers, and nothing else. An object that stands in one of the answers is refused.
    """

    def read(found: FoundObject) -> RatingReply:
        refuse_unknown(found.tree, REPLY_FIELDS, "the reply")
        return RatingReply(read_answers(found.tree, len(shown), _read_ratings), found.repairs)

    return read_object(text, shown, "rate in your own words", read)


def _read_ratings(answer: Mapping[str, Any], where: str) -> tuple[int, ...]:
    refuse_unknown(answer, ANSWER_FIELDS, where)
    text_at(answer, "analysis", where)
    values = object_at(answer, "ratings", where)
    for name in ATTRIBUTES:
        if name not in values:
            raise BrokenForm(Fault.MISSING_CRITERION, f"{where}.ratings lacks the attribute {name}")
        whole_number(values[name], f"{where}.ratings.{name}", (MIN_RATING, MAX_RATING))
    refuse_unknown(values, ATTRIBUTES, f"{where}.ratings", Fault.UNKNOWN_CRITERION)
    return attribute_values(values)
