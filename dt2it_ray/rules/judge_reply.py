"""What a judge's rubric reply says, checked field by field; a reply that breaks the form is refused with the reason."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dt2it_ray.data.criteria import CRITERIA, MAX_SCORE, MIN_SCORE
from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.reply_fields import (
    BrokenForm,
    Refused,
    object_at,
    quoted,
    read_answers,
    read_object,
    refuse_unknown,
    text_at,
    whole_number,
)
from dt2it_ray.rules.reply_json import FoundObject
from dt2it_ray.rules.rubric import WEIGHT_TOLERANCE, overall, weights_sum_to_one

ROUNDING = 0.01 + 1e-9
"""A stated overall this near to the recomputed one was rounded another way (7.125 to 7.13), not miscalculated."""
REPLY_FIELDS = ("reference", "weights", "answers")
ANSWER_FIELDS = ("index", "analysis", "scores", "overall")


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
    faults: tuple[Fault, ...] = field(default=(), compare=False)
    """What was repaired, and `OVERALL_DISAGREES` for every answer whose arithmetic does not hold."""


def parse_reply(
    text: str, num_answers: int, weight_tolerance: float = WEIGHT_TOLERANCE, shown: Sequence[str] = ()
) -> Reply | Refused:
    """The reply to a request that showed `num_answers` answers, or why it is invalid.

    Only code fences, prose around the one JSON object and trailing commas are repaired. Every field of the form must
    be there and of its type, and nothing else. An object that is found in a text that was `shown` is refused.
    """

    def read(found: FoundObject) -> Reply:
        reply = _read_reply(found.tree, num_answers, weight_tolerance)
        wrong = tuple(Fault.OVERALL_DISAGREES for answer in reply.answers if not answer.arithmetic_holds)
        return replace(reply, faults=(*found.repairs, *wrong))

    return read_object(text, shown, "judge in your own words", read)


def _read_reply(form: Mapping[str, Any], num_answers: int, tolerance: float) -> Reply:
    refuse_unknown(form, REPLY_FIELDS, "the reply")
    reference = text_at(form, "reference", "the reply")
    stated = _by_criterion(form, "weights", "the reply")
    weights = tuple(_weight(stated[criterion], f"weights.{criterion}") for criterion in CRITERIA)
    if not weights_sum_to_one(weights, tolerance):
        detail = f"the weights sum to {math.fsum(weights):.4f}, not to 1 within {tolerance}"
        raise BrokenForm(Fault.WEIGHTS_SUM, detail)
    answers = read_answers(form, num_answers, lambda answer, where: _read_answer(answer, where, weights))
    return Reply(reference, weights, answers)


def _read_answer(answer: Mapping[str, Any], where: str, weights: tuple[float, ...]) -> AnswerReply:
    refuse_unknown(answer, ANSWER_FIELDS, where)
    analysis = _by_criterion(answer, "analysis", where)
    stated = _by_criterion(answer, "scores", where)
    scores = tuple(
        whole_number(stated[criterion], f"{where}.scores.{criterion}", (MIN_SCORE, MAX_SCORE)) for criterion in CRITERIA
    )
    return AnswerReply(
        analysis=tuple(text_at(analysis, criterion, f"{where}.analysis") for criterion in CRITERIA),
        scores=scores,
        overall=overall(weights, scores),
        stated_overall=_number(answer.get("overall"), f"{where}.overall"),
    )


def _by_criterion(form: Mapping[str, Any], field: str, where: str) -> Mapping[str, Any]:
    values = object_at(form, field, where)
    missing = [criterion for criterion in CRITERIA if criterion not in values]
    if missing:
        raise BrokenForm(Fault.MISSING_CRITERION, f"`{field}` of {where} lacks the criterion {missing[0]}")
    unknown = sorted(set(values) - set(CRITERIA))
    if unknown:
        detail = f"`{field}` of {where} has the unknown criterion {quoted(unknown[0])}"
        raise BrokenForm(Fault.UNKNOWN_CRITERION, detail)
    return values


def _weight(value: Any, where: str) -> float:
    weight = _number(value, where)
    if not 0 <= weight <= 1:
        raise BrokenForm(Fault.WEIGHT_OUT_OF_RANGE, f"{where} is {quoted(value)}, not a weight from 0 to 1")
    return weight


def _number(value: Any, where: str) -> float:
    # A whole number of hundreds of digits is valid JSON and more than a float can hold.
    if type(value) not in (int, float) or not -1e9 < value < 1e9:
        raise BrokenForm(Fault.NOT_A_NUMBER, f"{where} is {quoted(value)}, not a number")
    return float(value)
