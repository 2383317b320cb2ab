"""How the rows of a file become choices in the file's order, each with the rows that it came from."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from dt2it_ray.data.formats.t2i.choice import Choice, Refusal, RowRefused
from dt2it_ray.data.formats.t2i.shapes import Shape
from dt2it_ray.data.formats.t2i.singles import Rated

Row = tuple[int, Any]
"""A row's number in its file, counted from 1, and its fields, or the text of a row that is not JSON."""

Reading = tuple[tuple[Row, ...], Choice | RowRefused]


def read_choices(rows: Iterable[Row], shape: Shape) -> Iterator[Reading]:
    """What every row says, or why it cannot be used. Each row is in exactly one reading.

    Rows of one image wait for the others of their prompt: their choice stands where the first of them stood.
    """
    if shape.read is None:
        yield from _gather(rows, shape)
        return
    read = shape.read
    for row in rows:
        fields = row[1]
        try:
            choice = read(fields) if type(fields) is dict else _refuse(fields)
        except RowRefused as refusal:
            choice = refusal
        yield (row,), choice


def _refuse(fields: Any) -> RowRefused:
    """The refusal of a row that is no JSON object."""
    if isinstance(fields, str):
        return RowRefused(Refusal.NOT_JSON, "", "the line is no JSON object")
    return RowRefused(Refusal.FIELD_INVALID, "", "the row is no JSON object")


def _read_one(read: Callable[[Mapping[str, Any]], Rated], fields: Any) -> Rated | RowRefused:
    try:
        return read(fields) if isinstance(fields, dict) else _refuse(fields)
    except RowRefused as refusal:
        return refusal


def _gather(rows: Iterable[Row], shape: Shape) -> Iterator[Reading]:
    assert shape.read_one is not None
    # A refused row stands alone, under its number; prompts are texts.
    groups: dict[str | int, list[tuple[Row, Any]]] = {}
    for row in rows:
        rated = _read_one(shape.read_one, row[1])
        if isinstance(rated, Rated) and any(rated.image == other.image for _, other in groups.get(rated.group, ())):
            rated = RowRefused(Refusal.IMAGES_EQUAL, "image", "an earlier row has this image of this prompt")
        groups.setdefault(rated.group if isinstance(rated, Rated) else row[0], []).append((row, rated))
    for members in groups.values():
        yield _joined(members)


def _joined(members: list[tuple[Row, Any]]) -> Reading:
    """The choice between the images of one prompt, or the refusal of a row that stands alone."""
    rows = tuple(row for row, _ in members)
    first = members[0][1]
    if isinstance(first, RowRefused):
        return rows, first
    if len(members) < 2:
        return rows, RowRefused(Refusal.TOO_FEW_IMAGES, "prompt", "no other sound row has an image of this prompt")
    return rows, Choice(first.caption, [rated.image for _, rated in members], [rated.score for _, rated in members])
