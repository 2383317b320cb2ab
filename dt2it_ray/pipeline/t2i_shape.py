"""Which shape the rows of a text-to-image file have, and where its rows go if none of them shows one."""

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from dt2it_ray.data.formats.t2i.choice import Refusal, RowRefused
from dt2it_ray.data.formats.t2i.read import read_choices
from dt2it_ray.data.formats.t2i.shapes import SHAPES, Shape, shape_of
from dt2it_ray.pipeline.t2i_passes import dropped_line
from dt2it_ray.pipeline.t2i_rows import read_rows, shares_of


class UnknownRows(NamedTuple):
    """The rows of a file of no known shape."""

    rows: int
    first: str
    """The columns of the first row, or what it is if it has none."""


def shape_of_file(source: str) -> str | None:
    """The shape of the first row that shows one; None if no row of the file does.

    Raises:
        InputError: the file cannot be read.
    """
    return shape_of(fields for _, fields in read_rows(shares_of(source, 1)[0]))


def refuse_all(source: str, dropped: str) -> UnknownRows:
    """Write all rows of a file of no known shape to `dropped`.

    Raises:
        InputError: the file cannot be read.
    """
    rows, first = 0, None
    with open(dropped, "wb") as stream:
        for (row,), refusal in read_choices(read_rows(shares_of(source, 1)[0]), Shape((), _refuse)):
            assert isinstance(refusal, RowRefused)
            stream.write(dropped_line(row, refusal))
            rows += 1
            first = row[1] if rows == 1 else first
    return UnknownRows(rows, str(list(first)) if isinstance(first, Mapping) else repr(str(first)[:80]))


def _refuse(row: Mapping[str, Any]) -> NoReturn:
    raise RowRefused(Refusal.SHAPE_UNKNOWN, "", f"has not the columns of {', '.join(SHAPES)}")
