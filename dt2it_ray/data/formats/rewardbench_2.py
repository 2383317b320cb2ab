"""How RewardBench 2 is laid out (allenai/reward-bench-2): Parquet of prompts with right and wrong answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.read_batch import Record
from dt2it_ray.data.formats.records import read_records
from dt2it_ray.errors import InputError

NAME = "rewardbench_2"
FILES = r"data/test-\d+-of-\d+\.parquet"
COUNT = 1865


@dataclass(frozen=True)
class RightAndWrong:
    """One prompt with its right answers first, then the wrong ones."""

    where: str
    item: str
    question: str
    answers: Sequence[str]
    right: int
    """How many answers are right."""
    subset: str


def read_right_and_wrong(folder: Files, name: str) -> Iterator[RightAndWrong]:
    """The rows of a file, in its order.

    Raises:
        InputError: a row lacks a field, or has no right or no wrong answer; names file, row and field.
    """
    for record in read_records(folder, name):
        yield _row(record)


def _row(record: Record) -> RightAndWrong:
    where, fields = f"{record.file} row {record.number}", record.fields
    if not isinstance(fields, dict):
        raise InputError(f"{where}: {ascii(fields)[:60]} is no JSON object")
    chosen, rejected = _texts(fields, "chosen", where), _texts(fields, "rejected", where)
    told = {name: fields.get(name) for name in ("id", "subset")}
    for name, value in told.items():
        if not isinstance(value, str) or not value:
            raise InputError(f"{where}: {name} is {ascii(value)[:60]}, not a text. Is it RewardBench 2?")
    question = fields.get("prompt")
    return RightAndWrong(
        where=where,
        item=str(told["id"]),
        question=question if isinstance(question, str) else "",
        answers=[*chosen, *rejected],
        right=len(chosen),
        subset=str(told["subset"]),
    )


def _texts(fields: dict[str, Any], name: str, where: str) -> list[str]:
    texts = fields.get(name)
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{where}: {name} is {ascii(texts)[:60]}, not a list of texts. Is it RewardBench 2?")
    return texts
