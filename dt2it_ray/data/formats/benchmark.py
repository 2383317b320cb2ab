"""What a row of any benchmark of pairs says when its images are not looked at, and how a benchmark's files are told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.formats.fields import ImageFiles, RowRefused
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.preference import Turn
from dt2it_ray.data.schema import DropReason

Row = Mapping[str, Any]
Images = Sequence[Mapping[str, Any]]
OpenImages = Callable[[Row], Images]
"""Raises RowRefused for an image that is missing or cannot be decoded."""


@dataclass(frozen=True)
class BenchmarkPair:
    """Two answers in the order of the row's file, and which one people found better."""

    item: str
    """The row's own id, which may repeat; empty where rows have none."""
    answers: tuple[str, str]
    """Texts, which may be empty: official figures count such rows."""
    chosen: int | None
    """Position of the better one in `answers`; None where the label is a tie."""
    category: str = ""
    """As released; the official score may split it further."""
    question: str = ""
    strength: float | None = None
    """How much better, in the row's own unit."""
    by_place: bool = False
    """The answers are sentences that name the images by their places. Models see the images in both orders, or a favour
    for a place would count as a preference."""
    history: Sequence[Turn] = ()
    """The turns before the question."""


@dataclass(frozen=True)
class BenchmarkFormat:
    """How the rows of one benchmark are found and read."""

    name: str
    files: tuple[str, ...]
    """Patterns of names inside the released folder; the first that fits any file says which files have the rows."""
    pair: Callable[[Row], BenchmarkPair]
    """What a raw row says. Raises RowRefused, which names the field."""
    images: Callable[[Files], OpenImages]
    """Of the folder that images lie in: a function from a row to its images, in the order shown."""
    columns: tuple[str, ...] = ()
    """Of a Parquet file, the columns that `pair` reads if they are there; all where none is named."""
    rows_in: str = ""
    """The key of the list in a JSON file that is an object."""
    item_field: str = ""
    """The field of a row's id, which is checked for a row that cannot be used too; empty where only `pair` knows it."""
    counts: tuple[int, ...] = ()
    """Rows of the released generations; empty where any number is right."""


def id_of(fields: Row, field: str = "id") -> str:
    """The row's id as text; numbers are written plainly. Refuses a row that has none."""
    value = fields.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowRefused(DropReason.FIELD_INVALID, f"field {field}", f"{ascii(value)[:60]} is no id")
    return str(value)


def answer_of(value: Any, field: str) -> str:
    """A text, which may be empty."""
    if not isinstance(value, str):
        raise RowRefused(DropReason.FIELD_INVALID, f"field {field}", f"{ascii(value)[:60]} is not a text")
    return value


def optional_text(fields: Row, *names: str) -> str:
    """The first of these fields that is a text, else empty."""
    return next((fields[name] for name in names if isinstance(fields.get(name), str)), "")


def no_images(files: Files) -> OpenImages:
    """Of a benchmark of texts alone."""
    return lambda fields: ()


def listed_images(images: Callable[[Row, ImageFiles], Images]) -> Callable[[Files], OpenImages]:
    """Of a benchmark whose image folders are listed once."""

    def opened(files: Files) -> OpenImages:
        listing = ImageFiles(files)
        return lambda fields: images(fields, listing)

    return opened
