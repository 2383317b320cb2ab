"""How the raw records of a benchmark's files become rows with unique keys, batch by batch."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from dt2it_ray.data import ids
from dt2it_ray.data.chat import language_of
from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.schema import BENCHMARK_ROWS, DropReason


@dataclass(frozen=True)
class ReadBatch:
    """Some rows of a benchmark as BENCHMARK_ROWS, in file order, and those refused; together all that were read."""

    rows: pa.Table
    dropped: pa.Table


class Record(NamedTuple):
    """One raw row: its file, its number in it (counted from 1), and its fields or whatever stands in their place."""

    file: str
    number: int
    fields: Any


@dataclass(frozen=True, kw_only=True)
class ReleasedPair:
    """What a benchmark row says, whatever its file calls it; `answers` are the two texts in the file's order."""

    item: str
    question: str
    images: Sequence[Mapping[str, Any]]
    answers: tuple[str, str]
    chosen: int
    """Position of the better one in `answers`."""
    category: str = ""
    reference: str | None = None


def read_batches(
    benchmark: str,
    records: Iterable[Record],
    parse: Callable[[Mapping[str, Any]], ReleasedPair],
    batch_rows: int,
) -> Iterator[ReadBatch]:
    """Batches of up to `batch_rows` records. Rows do not depend on `batch_rows`.

    A row's `prompt_id` names its whole content with both answers, for one prompt may stand in several rows; a row that
    repeats an earlier one whole is named by its file and number too. `parse` raises RowRefused for a bad row.
    """
    taken: set[str] = set()
    left = iter(records)
    while chunk := list(itertools.islice(left, batch_rows)):
        rows, dropped = [], []
        for record in chunk:
            try:
                rows.append(_row(benchmark, record, _parsed(record, parse), taken))
            except RowRefused as refusal:
                dropped.append(refused_row(record, refusal))
        yield ReadBatch(pa.Table.from_pylist(rows, schema=BENCHMARK_ROWS), dropped_table(dropped))


def _parsed(record: Record, parse: Callable[[Mapping[str, Any]], ReleasedPair]) -> ReleasedPair:
    if not isinstance(record.fields, Mapping):
        raise RowRefused(DropReason.FIELD_INVALID, "whole row", "not a JSON object")
    pair = parse(record.fields)
    if pair.answers[0] == pair.answers[1]:
        raise RowRefused(DropReason.ANSWERS_EQUAL, "both answers", "the two answers are the same text")
    return pair


def _row(benchmark: str, record: Record, pair: ReleasedPair, taken: set[str]) -> dict[str, Any]:
    prompt = ids.prompt_id([image["bytes"] for image in pair.images], pair.question)
    chosen, rejected = pair.answers[pair.chosen], pair.answers[1 - pair.chosen]
    key = ids.content_id("benchmark", benchmark, prompt, pair.item, chosen, rejected)
    if key in taken:
        key = ids.content_id("repeated", key, record.file, record.number)
    taken.add(key)
    chosen_id, rejected_id = ids.answer_id(key, chosen), ids.answer_id(key, rejected)
    label = {
        "pair_id": ids.pair_id(benchmark, chosen_id, rejected_id),
        "chosen_id": chosen_id,
        "rejected_id": rejected_id,
        "planted_flip": None,
    }
    return {
        "prompt_id": key,
        "source": benchmark,
        "category": pair.category,
        "language": language_of(pair.question),
        "images": pair.images,
        "history": None,
        "question": pair.question,
        "reference": pair.reference,
        "scene": None,
        "answers": [{"answer_id": ids.answer_id(key, text), "text": text} for text in pair.answers],
        "labels": [label],
        "item": pair.item,
        "group": pair.item,
    }


def refused_row(record: Record, refusal: RowRefused) -> dict[str, str]:
    """The row of a `dropped` table for a record: where it stands, what is wrong, and its fields."""
    detail = f"{record.file} row {record.number}, {refusal.where}: {refusal.problem}"
    return Dropped(refusal.reason, detail, _evidence(record.fields)).row(f"{record.file}:{record.number}")


def _evidence(fields: Any) -> str:
    """The fields as ASCII JSON, bytes by their number only: a broken text must not break the record of it."""
    try:
        return json.dumps(fields, default=_shown)
    except RecursionError:
        return json.dumps("nested too deep to be written")


def _shown(value: Any) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)
