"""How the raw records of an outside file are read one by one: JSON lines, a JSON list, or Parquet, by its name."""

import codecs
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.read_batch import Record
from dt2it_ray.errors import InputError

KINDS = (".jsonl", ".ndjson", ".json", ".parquet")
ROWS_AT_ONCE = 256
CHARACTERS_AT_ONCE = 1 << 20
Numbered = tuple[int, Any]
_DECODER = json.JSONDecoder()
_DELIMITED = re.compile(r"\s*[,\]]")


def read_records(folder: Files, name: str) -> Iterator[Record]:
    """The records of one file in its order, numbered from 1, those of lines by line. A line that is no JSON is a record
    whose fields are text.

    Raises:
        InputError: the file cannot be read, is of another kind, or is no list of records.
    """
    suffix = f".{name.rpartition('.')[2].lower()}"
    if suffix not in KINDS:
        raise InputError(f"{folder.path(name)}: files of rows end in one of {', '.join(KINDS)}")
    read = {".json": _read_list, ".parquet": _read_parquet}.get(suffix, _read_lines)
    try:
        with folder.stream(name) as stream:
            for number, fields in read(stream, folder.path(name)):
                yield Record(name, number, fields)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise InputError(f"cannot read {folder.path(name)}: {str(error).splitlines()[0]}") from None


def _read_lines(stream: Any, where: str) -> Iterator[Numbered]:
    for number, line in enumerate(io.BufferedReader(stream), 1):
        if line.strip():
            yield number, _parsed(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode())
    except (ValueError, RecursionError):
        return line.decode(errors="backslashreplace")


def _read_parquet(stream: Any, where: str) -> Iterator[Numbered]:
    batches = pq.ParquetFile(stream).iter_batches(ROWS_AT_ONCE)
    yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)


def _read_list(stream: Any, where: str) -> Iterator[Numbered]:
    """The elements of a JSON list, of which only some are in memory at a time."""
    text = io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8-sig")
    left = text.read(CHARACTERS_AT_ONCE).lstrip()
    if not left.startswith("["):
        raise InputError(f"{where} holds no JSON list of records; name a file of one record per line .jsonl")
    left, number = left[1:], 0
    while True:
        more = text.read(CHARACTERS_AT_ONCE)
        left, place = left + more, 0
        while (found := _next_element(left, place, ended=not more)) is not None:
            element, place = found
            number += 1
            yield number, element
        left = left[place:].lstrip(" \t\r\n,")
        if left.startswith("]"):
            _refuse_more(left[1:] + text.read(CHARACTERS_AT_ONCE), number, where)
            return
        if not more:
            raise InputError(f"{where} is cut off or damaged behind record {number}: {left[:60]!r}")


def _refuse_more(behind: str, number: int, where: str) -> None:
    if behind.strip():
        raise InputError(f"{where} goes on behind its list of {number} records with {behind.strip()[:60]!r}")


def _next_element(text: str, place: int, ended: bool) -> tuple[Any, int] | None:
    """The element that starts at `place`, behind commas and blanks, and where it ends; None if it is not all there."""
    while place < len(text) and text[place] in " \t\r\n,":
        place += 1
    if place == len(text) or text[place] == "]":
        return None
    try:
        element, end = _DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        return None
    # Of a number, more digits may stand in what is not read yet.
    return (element, end) if ended or _DELIMITED.match(text, end) else None
