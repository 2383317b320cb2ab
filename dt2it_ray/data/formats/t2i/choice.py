"""What a text-to-image row says, whatever its file calls it, and why a row that says nothing usable is refused."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from dt2it_ray.data.formats.media_marks import MEDIA

Image = str | Mapping[str, Any]
"""A path or address, or a mapping with `bytes`, which are there, and `path` as in image columns of Parquet files."""


class Choice(NamedTuple):
    """Images made from one caption."""

    caption: str
    images: Sequence[Image]
    scores: Sequence[float] | None
    """One per image, higher is better; None where a row only says that its first image is preferred to its second."""


class Refusal(StrEnum):
    """Why a row was left out; where a stage refuses rows for the same reason, its `DropReason` has the same name."""

    NOT_JSON = "not_json"
    SHAPE_UNKNOWN = "shape_unknown"
    FIELD_INVALID = "field_invalid"
    IMAGE_MISSING = "image_missing"
    IMAGE_UNDECODABLE = "image_undecodable"
    IMAGES_EQUAL = "images_equal"
    TOO_FEW_IMAGES = "too_few_images"
    NOT_LABELLED = "not_labelled"
    TIED = "tied"
    GAP_TOO_SMALL = "gap_too_small"


class RowRefused(Exception):
    """A row cannot be used: a reason that can be counted, the field at fault, and what is wrong with it."""

    def __init__(self, reason: Refusal, field: str, problem: str) -> None:
        super().__init__(reason, field, problem)
        self.reason, self.field, self.problem = reason, field, problem


def caption_of(value: Any, field: str) -> str:
    """`value` if it is a text that is not blank and has no mark of a file."""
    if not isinstance(value, str) or not value or value.isspace():
        raise RowRefused(Refusal.FIELD_INVALID, field, f"{_shown(value)} is no caption")
    if mark := MEDIA.search(value):
        raise RowRefused(Refusal.FIELD_INVALID, field, f"the caption holds {mark[0]}, which would count as a file")
    return value


def image_of(value: Any, field: str) -> Image:
    """`value` if it names or holds an image: bare bytes become a mapping, a mapping without bytes its path."""
    if isinstance(value, str) and value and not value.isspace():
        return value
    if isinstance(value, bytes) and value:
        return {"bytes": value, "path": None}
    if isinstance(value, Mapping):
        content, path = value.get("bytes"), value.get("path")
        if isinstance(content, bytes) and content:
            return {"bytes": content, "path": path if isinstance(path, str) else None}
        if isinstance(path, str) and path and not path.isspace():
            return path
    raise RowRefused(Refusal.IMAGE_MISSING, field, f"{_shown(value)} is no image")


def number_of(value: Any, field: str) -> float:
    """`value` as a finite number; texts that spell one count, for some releases have them."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise RowRefused(Refusal.FIELD_INVALID, field, f"{_shown(value)} is no number") from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise RowRefused(Refusal.FIELD_INVALID, field, f"{_shown(value)} is no finite number")
    return number


def list_of(value: Any, field: str) -> list[Any]:
    """`value` if it is a list."""
    if isinstance(value, list):
        return value
    raise RowRefused(Refusal.FIELD_INVALID, field, f"{_shown(value)} is no list")


def refuse_equal(images: Sequence[Image], field: str) -> None:
    """Refuse a row that compares an image with itself."""
    if any(image in images[:place] for place, image in enumerate(images)):
        raise RowRefused(Refusal.IMAGES_EQUAL, field, "one image stands there twice")


def _shown(value: Any) -> str:
    return ascii(value)[:80] if value is not None else "a missing value"
