"""How a judge's reply of any form is read: its one object is found and checked field by field, or refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dt2it_ray.rules.faults import Fault
from dt2it_ray.rules.reply_json import FoundObject, NotOneObject, find_object

ReplyT = TypeVar("ReplyT")
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True)
class Refused:
    """An invalid reply: what was repaired in vain and the first rule that it breaks, which `detail` explains."""

    faults: tuple[Fault, ...]
    detail: str


class BrokenForm(ValueError):
    """The reply breaks the form; the message says where."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def read_object(
    text: str, shown: Sequence[str], advice: str, read: Callable[[FoundObject], ReplyT]
) -> ReplyT | Refused:
    """What `read` makes of the one object in the text, or why the text is refused: `read` raises `BrokenForm`, there is
    no such object, or it stands in a text that was `shown`. `advice` says what to do instead of repeating that one."""
    try:
        found = find_object(text)
    except NotOneObject as trouble:
        return Refused((trouble.fault,), str(trouble))
    if any(_squeezed(found.text) in _squeezed(each) for each in shown):
        detail = f"the JSON object stands in one of the answers; {advice}"
        return Refused((*found.repairs, Fault.QUOTED_OBJECT), detail)
    try:
        return read(found)
    except BrokenForm as trouble:
        return Refused((*found.repairs, trouble.fault), str(trouble))


def read_answers(
    form: Mapping[str, Any], num_answers: int, read: Callable[[Mapping[str, Any], str], AnswerT]
) -> tuple[AnswerT, ...]:
    """What `read` makes of each entry of `answers` and its place, in the order of their indices: 1 to `num_answers`."""
    answers = form.get("answers")
    if not isinstance(answers, list):
        raise BrokenForm(Fault.MISSING_FIELD, "the reply has no list `answers`")
    if len(answers) != num_answers:
        fault = Fault.MISSING_ANSWER if len(answers) < num_answers else Fault.SURPLUS_ANSWER
        raise BrokenForm(fault, f"wrong number of answers: {len(answers)} for {num_answers} shown")
    by_index: dict[int, AnswerT] = {}
    for place, answer in enumerate(answers):
        where = f"answers[{place}]"
        if not isinstance(answer, dict):
            raise BrokenForm(Fault.MISSING_FIELD, f"{where} is not an object")
        index = whole_number(answer.get("index"), f"{where}.index", (1, num_answers), Fault.INDEX_OUT_OF_RANGE)
        if index in by_index:
            raise BrokenForm(Fault.DUPLICATE_INDEX, f"duplicate index {index} in {where}")
        by_index[index] = read(answer, where)
    return tuple(by_index[index] for index in sorted(by_index))


def refuse_unknown(
    form: Mapping[str, Any], fields: Sequence[str], where: str, fault: Fault = Fault.UNKNOWN_FIELD
) -> None:
    """Raise BrokenForm if the form has a field besides these."""
    unknown = sorted(set(form) - set(fields))
    if unknown:
        raise BrokenForm(fault, f"{where} has the unknown field {quoted(unknown[0])}")


def text_at(form: Mapping[str, Any], field: str, where: str) -> str:
    """The text in a field of the form."""
    value = form.get(field)
    if not isinstance(value, str):
        raise BrokenForm(Fault.MISSING_TEXT, f"{where} has no text `{field}`")
    return value


def object_at(form: Mapping[str, Any], field: str, where: str) -> Mapping[str, Any]:
    """The object in a field of the form."""
    value = form.get(field)
    if not isinstance(value, dict):
        raise BrokenForm(Fault.MISSING_FIELD, f"{where} has no object `{field}`")
    return value


def whole_number(value: Any, where: str, bounds: tuple[int, int], fault: Fault = Fault.SCORE_OUT_OF_RANGE) -> int:
    """The value, if it is an integer within the bounds; 7.0, true and "7" are none."""
    low, high = bounds
    if type(value) is not int or not low <= value <= high:
        raise BrokenForm(fault, f"{where} is {quoted(value)}, not an integer from {low} to {high}")
    return value


def quoted(value: Any) -> str:
    """The value as a message shows it: short, and in ASCII."""
    return ascii(value)[:40]


def _squeezed(text: str) -> str:
    return "".join(text.split())
