"""What a judge's rubric reply says, checked field by field; a reply that breaks the form is refused with the reason."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dt2it_ray.data.criteria import CRITERIA, MAX_SCORE, MIN_SCORE
from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.reply_json import NotOneObject, find_object
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


@dataclass(frozen=True)
class Refused:
    """An invalid reply: what was repaired in vain and the first rule that it breaks, which `detail` explains."""

    faults: tuple[Fault, ...]
    detail: str


class _Invalid(ValueError):
    """The reply breaks the form; the message says where."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def parse_reply(
    text: str, num_answers: int, weight_tolerance: float = WEIGHT_TOLERANCE, shown: Sequence[str] = ()
) -> Reply | Refused:
    """The reply to a request that showed `num_answers` answers, or why it is invalid.

    Only code fences, prose around the one JSON object and trailing commas are repaired. Every field of the form must
    be there and of its type, and nothing else. An object that is found in a text that was `shown` is refused.
    """
    try:
        found = find_object(text)
    except NotOneObject as trouble:
        return Refused((trouble.fault,), str(trouble))
    if any(_squeezed(found.text) in _squeezed(each) for each in shown):
        quoted = "the JSON object stands in one of the answers; judge in your own words"
        return Refused((*found.repairs, Fault.QUOTED_OBJECT), quoted)
    try:
        reply = _read_reply(found.tree, num_answers, weight_tolerance)
    except _Invalid as trouble:
        return Refused((*found.repairs, trouble.fault), str(trouble))
    wrong = tuple(Fault.OVERALL_DISAGREES for answer in reply.answers if not answer.arithmetic_holds)
    return replace(reply, faults=(*found.repairs, *wrong))


def _read_reply(form: Mapping[str, Any], num_answers: int, tolerance: float) -> Reply:
    _refuse_unknown(form, REPLY_FIELDS, "the reply")
    reference = _text(form, "reference", "the reply")
    stated = _by_criterion(form, "weights", "the reply")
    weights = tuple(_weight(stated[criterion], f"weights.{criterion}") for criterion in CRITERIA)
    if not weights_sum_to_one(weights, tolerance):
        raise _Invalid(Fault.WEIGHTS_SUM, f"the weights sum to {math.fsum(weights):.4f}, not to 1 within {tolerance}")
    answers = form.get("answers")
    if not isinstance(answers, list):
        raise _Invalid(Fault.MISSING_FIELD, "the reply has no list `answers`")
    if len(answers) != num_answers:
        fault = Fault.MISSING_ANSWER if len(answers) < num_answers else Fault.SURPLUS_ANSWER
        raise _Invalid(fault, f"wrong number of answers: {len(answers)} for {num_answers} shown")
    by_index: dict[int, AnswerReply] = {}
    for place, answer in enumerate(answers):
        index = _index(answer, f"answers[{place}]", num_answers)
        if index in by_index:
            raise _Invalid(Fault.DUPLICATE_INDEX, f"duplicate index {index} in answers[{place}]")
        by_index[index] = _read_answer(answer, f"answers[{place}]", weights)
    return Reply(reference, weights, tuple(by_index[index] for index in sorted(by_index)))


def _read_answer(answer: Mapping[str, Any], where: str, weights: tuple[float, ...]) -> AnswerReply:
    _refuse_unknown(answer, ANSWER_FIELDS, where)
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
        raise _Invalid(Fault.MISSING_FIELD, f"{where} is not an object")
    index = answer.get("index")
    if type(index) is not int or not 1 <= index <= num_answers:
        detail = f"{where}.index is {_shown(index)}, not an integer from 1 to {num_answers}"
        raise _Invalid(Fault.INDEX_OUT_OF_RANGE, detail)
    return index


def _refuse_unknown(form: Mapping[str, Any], fields: Sequence[str], where: str) -> None:
    unknown = sorted(set(form) - set(fields))
    if unknown:
        raise _Invalid(Fault.UNKNOWN_FIELD, f"{where} has the unknown field {_shown(unknown[0])}")


def _by_criterion(form: Mapping[str, Any], field: str, where: str) -> Mapping[str, Any]:
    values = form.get(field)
    if not isinstance(values, dict):
        raise _Invalid(Fault.MISSING_FIELD, f"{where} has no object `{field}`")
    missing = [criterion for criterion in CRITERIA if criterion not in values]
    if missing:
        raise _Invalid(Fault.MISSING_CRITERION, f"`{field}` of {where} lacks the criterion {missing[0]}")
    unknown = sorted(set(values) - set(CRITERIA))
    if unknown:
        detail = f"`{field}` of {where} has the unknown criterion {_shown(unknown[0])}"
        raise _Invalid(Fault.UNKNOWN_CRITERION, detail)
    return values


def _text(form: Mapping[str, Any], field: str, where: str) -> str:
    value = form.get(field)
    if not isinstance(value, str):
        raise _Invalid(Fault.MISSING_TEXT, f"{where} has no text `{field}`")
    return value


def _score(value: Any, where: str) -> int:
    if type(value) is not int or not MIN_SCORE <= value <= MAX_SCORE:
        detail = f"{where} is {_shown(value)}, not an integer from {MIN_SCORE} to {MAX_SCORE}"
        raise _Invalid(Fault.SCORE_OUT_OF_RANGE, detail)
    return value


def _weight(value: Any, where: str) -> float:
    weight = _number(value, where)
    if not 0 <= weight <= 1:
        raise _Invalid(Fault.WEIGHT_OUT_OF_RANGE, f"{where} is {_shown(value)}, not a weight from 0 to 1")
    return weight


def _number(value: Any, where: str) -> float:
    # A whole number of hundreds of digits is valid JSON and more than a float can hold.
    if type(value) not in (int, float) or not -1e9 < value < 1e9:
        raise _Invalid(Fault.NOT_A_NUMBER, f"{where} is {_shown(value)}, not a number")
    return float(value)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _shown(value: Any) -> str:
    return ascii(value)[:40]
