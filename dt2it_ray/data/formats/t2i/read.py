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
        yield (row,), _attempt(read, row[1])


def _attempt(read: Callable[[Mapping[str, Any]], Any], fields: Any) -> Any:
    """What `read` makes of a row, or its refusal."""
    try:
        if isinstance(fields, dict):
            return read(fields)
        if isinstance(fields, str):
            return RowRefused(Refusal.NOT_JSON, "", "the line is not valid JSON")
        return RowRefused(Refusal.FIELD_INVALID, "", "the row is no JSON object")
    except RowRefused as refusal:
        return refusal


def _gather(rows: Iterable[Row], shape: Shape) -> Iterator[Reading]:
    assert shape.read_one is not None
    groups: dict[Any, list[tuple[Row, Rated]] | Reading] = {}
    for row in rows:
        rated = _attempt(shape.read_one, row[1])
        if isinstance(rated, RowRefused):
            groups[row[0]] = ((row,), rated)
            continue
        groups.setdefault(rated.group, []).append((row, rated))  # type: ignore[union-attr]
    for group in groups.values():
        yield group if isinstance(group, tuple) else _joined(group)


def _joined(members: list[tuple[Row, Rated]]) -> Reading:
    """The choice between the images of one prompt."""
    rows = tuple(row for row, _ in members)
    images = [rated.image for _, rated in members]
    if len(images) < 2:
        return rows, RowRefused(Refusal.TOO_FEW_IMAGES, "prompt", "no other row has an image of this prompt")
    return rows, Choice(members[0][1].caption, images, [rated.score for _, rated in members])
