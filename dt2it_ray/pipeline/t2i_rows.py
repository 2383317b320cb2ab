"""Which rows a share of a text-to-image file holds, read one by one."""

import itertools
import json
import os
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from dt2it_ray.data.formats.t2i.read import Row
from dt2it_ray.errors import InputError

LEAST_SHARE_BYTES = 4 << 20
"""Shares below this size are not worth a process."""
READ_BYTES = 1 << 20
LINES = (".jsonl", ".ndjson")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Share(NamedTuple):
    """The rows that one process reads: for files of lines the lines that start in [start, end), else the whole file."""

    path: str
    start: int
    end: int


def suffix_of(path: str) -> str:
    """The ending of a file's name with its dot, in lower case."""
    return os.path.splitext(path)[1].lower()


def shares_of(path: str, most: int) -> list[Share]:
    """Up to `most` shares of a file in its order; each row is in exactly one."""
    size = os.path.getsize(path)
    count = max(1, min(most, size // LEAST_SHARE_BYTES)) if suffix_of(path) in LINES else 1
    with open(path, "rb") as stream:
        edges = [0, *(_line_start(stream, size * part // count) for part in range(1, count)), size]
    return [Share(path, start, end) for start, end in itertools.pairwise(edges)]


def _line_start(stream, near: int) -> int:
    """The place of the first line that starts at `near` or later."""
    stream.seek(near - 1)
    stream.readline()
    return stream.tell()


def read_rows(share: Share) -> Iterator[Row]:
    """The rows of a share. Rows of a JSONL file are numbered by line, others by their place, counted from 1.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        yield from _read_lines(share) if suffix_of(share.path) in LINES else _read_records(share.path)
    except OSError as error:
        raise InputError(f"cannot read {share.path}: {error}") from None


def _read_lines(share: Share) -> Iterator[Row]:
    loads = orjson.loads
    with open(share.path, "rb", buffering=READ_BYTES) as stream:
        number, place = _lines_before(stream, share.start), share.start
        for line in stream:
            if place >= share.end:
                return
            place += len(line)
            number += 1
            try:
                yield number, loads(line)
            except orjson.JSONDecodeError:
                if line.strip():
                    yield number, _unparsed(line, number)


def _unparsed(line: bytes, number: int):
    """The row of a line that begins a file with a byte order mark, else its text: it is not JSON."""
    if number == 1 and line.startswith(BYTE_ORDER_MARK):
        try:
            return orjson.loads(line.removeprefix(BYTE_ORDER_MARK))
        except orjson.JSONDecodeError:
            pass
    return line.decode(errors="backslashreplace").rstrip("\r\n")


def _lines_before(stream, end: int) -> int:
    """How many lines end before `end`; the stream is left there."""
    stream.seek(0)
    lines = 0
    while left := end - stream.tell():
        lines += stream.read(min(left, READ_BYTES)).count(b"\n")
    return lines


def _read_records(path: str) -> Iterator[Row]:
    from dt2it_ray.data.formats.records import read_records
    from dt2it_ray.store.files import Folder

    folder, name = os.path.split(os.path.abspath(path))
    storable = suffix_of(path) == ".parquet"
    for record in read_records(Folder(folder), name):
        yield record.number, record.fields if storable else _storable(record.fields)


def _storable(fields):
    """The fields as they are, or as text where they hold what no UTF-8 file can: half a character."""
    try:
        orjson.dumps(fields)
    except TypeError:
        return json.dumps(fields)
    return fields
