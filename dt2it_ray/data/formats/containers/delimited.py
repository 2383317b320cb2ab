"""How CSV and TSV files become records of texts, by the names in their first line."""

import collections
import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from dt2it_ray.data.formats.containers.block import BLOCK_BYTES, MAX_RECORD_BYTES
from dt2it_ray.data.formats.containers.compressed import Pieces
from dt2it_ray.data.formats.containers.lines import Numbered, cut_lines
from dt2it_ray.errors import InputError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
ROWS_PER_BLOCK = 1024
Rows = tuple[Sequence[str], tuple[Numbered, ...]]


def cut_delimited(pieces: Pieces, where: str, delimiter: str) -> Iterator[tuple[int, Rows]]:
    """The header with rows of cells, each numbered by the line that it starts in; the header is line 1. A row that
    breaks the quoting is the text of what is wrong.

    Raises:
        InputError: the file has no header, a column twice, or breaks off.
    """
    # Cells hold whole answers and images as text; Python refuses those above 128 KiB otherwise.
    csv.field_size_limit(MAX_RECORD_BYTES)
    rows = _numbered_rows(pieces, where, delimiter)
    _, header = next(rows, (1, None))
    if not isinstance(header, list):
        raise InputError(f"{where} has no header of column names in its first line")
    if len(set(header)) < len(header) or not all(header):
        raise InputError(f"{where} has columns without a name, or twice the same: {header}")
    block: list[Numbered] = []
    size = 0
    for row in rows:
        block.append(row)
        size += sum(map(len, row[1]))
        # Cells may hold images, a thousand of which would fill the memory.
        if len(block) == ROWS_PER_BLOCK or size >= BLOCK_BYTES:
            yield block[0][0], (header, tuple(block))
            block, size = [], 0
    if block:
        yield block[0][0], (header, tuple(block))


def parse_delimited(rows: Rows, first: int) -> Iterator[Numbered]:
    """Fields of every row: texts by column. A row of more or fewer cells, or of broken text, stays a text."""
    header, numbered = rows
    for number, cells in numbered:
        yield number, _fields(header, cells)


def _fields(header: Sequence[str], cells: Any) -> Any:
    if not isinstance(cells, list):
        return cells
    if len(cells) != len(header):
        return f"{len(cells)} cells instead of {len(header)}: {_storable(str(cells))}"
    if any(cell != _storable(cell) for cell in cells):
        return f"no UTF-8 text: {_storable(str(cells))}"
    return dict(zip(header, cells, strict=True))


def _storable(cell: str) -> str:
    return cell.encode(errors="backslashreplace").decode()


def _numbered_rows(pieces: Pieces, where: str, delimiter: str) -> Iterator[Numbered]:
    """Rows that are not empty, by the line that they start in. Where the quoting breaks, the first line of the row is
    refused, and the next row is looked for in the line behind it: a missing quotation mark would swallow the rest."""
    lines, again, row = _lines(pieces, where), collections.deque[str](), list[str]()

    def left() -> Iterator[str]:
        while (line := again.popleft() if again else next(lines, None)) is not None:
            row.append(line)
            yield line

    reader, number = csv.reader(left(), delimiter=delimiter, strict=True), 1
    while True:
        row.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"broken row of cells: {error}: {_storable(row[0])}"
            again.extendleft(reversed(row[1:]))
            reader = csv.reader(left(), delimiter=delimiter, strict=True)
            number += 1
            continue
        if cells:
            yield number, cells
        number += len(row)


def _lines(pieces: Pieces, where: str) -> Iterator[str]:
    for _, lines in cut_lines(pieces, where):
        for line in io.BytesIO(lines):
            yield line.decode(errors="surrogateescape")
