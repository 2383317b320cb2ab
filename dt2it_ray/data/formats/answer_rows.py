"""How rows of several answers with known qualities are read: a prompt, its answers, how good each is, their rewards."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.formats.benchmark import optional_text
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.read_batch import Record
from dt2it_ray.data.formats.records import read_records
from dt2it_ray.errors import InputError

PROMPTS = ("question", "prompt", "query")


@dataclass(frozen=True)
class AnswerRow:
    """One prompt with answers, in the row's order."""

    where: str
    item: str | None
    question: str
    answers: Sequence[str]
    """Texts; empty where the row gives only numbers."""
    qualities: Sequence[float]
    rewards: Sequence[float] | None
    fields: Mapping[str, Any]


def read_answer_rows(folder: Files, name: str) -> Iterator[AnswerRow]:
    """The rows of a file, in its order.

    Raises:
        InputError: a row is no object, has no `qualities`, or lists of different lengths; names file, row and field.
    """
    for record in read_records(folder, name):
        yield _row(record)


def _row(record: Record) -> AnswerRow:
    fields, where = record.fields, f"{record.file} row {record.number}"
    if not isinstance(fields, Mapping):
        raise InputError(f"{where}: {ascii(fields)[:60]} is no JSON object")
    qualities = _numbers(fields, "qualities", where)
    if not qualities:
        raise InputError(f"{where}: it has no `qualities`, one number for each answer")
    answers = fields.get("answers") or []
    if not isinstance(answers, list) or not all(isinstance(text, str) for text in answers):
        raise InputError(f"{where}: answers is {ascii(answers)[:60]}, not a list of texts")
    rewards = _numbers(fields, "rewards", where)
    for field, values in (("answers", answers), ("rewards", rewards)):
        if values and len(values) != len(qualities):
            raise InputError(f"{where}: {len(values)} {field} for {len(qualities)} qualities")
    item = fields.get("id")
    question = optional_text(fields, *PROMPTS)
    return AnswerRow(where, None if item is None else str(item), question, answers, qualities, rewards or None, fields)


def _numbers(fields: Mapping[str, Any], field: str, where: str) -> list[float]:
    values = fields.get(field)
    if values is None:
        return []
    numbers = isinstance(values, list) and all(isinstance(value, int | float) for value in values)
    if not numbers or not all(math.isfinite(value) for value in values):
        raise InputError(f"{where}: {field} is {ascii(values)[:80]}, not a list of finite numbers")
    return [float(value) for value in values]
