"""How CSV and TSV files become records of texts, by the names in their first line."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from dt2it_ray.data.formats.containers.block import MAX_RECORD_BYTES
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
    for row in rows:
        block.append(row)
        if len(block) == ROWS_PER_BLOCK:
            yield block[0][0], (header, tuple(block))
            block = []
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
    reader = csv.reader(_lines(pieces, where), delimiter=delimiter, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield start, f"broken row of cells: {error}"
            continue
        if cells:
            yield start, cells


def _lines(pieces: Pieces, where: str) -> Iterator[str]:
    for _, lines in cut_lines(pieces, where):
        for line in io.BytesIO(lines):
            yield line.decode(errors="surrogateescape")
