"""How rows of two images are read: caption pairs, HPDv3 and Pick-a-Pic."""

import math
from collections.abc import Mapping
from typing import Any

from dt2it_ray.data.formats.t2i.choice import (
    Choice,
    Refusal,
    RowRefused,
    caption_of,
    image_of,
    list_of,
    number_of,
    refuse_equal,
)

LABEL_SLACK = 0.02
"""How far the labels of two images may be from a sum of 1: both may be rounded to two places."""


def read_caption_pair(row: Mapping[str, Any]) -> Choice:
    """The choice of `{chosen: {value: caption}, rejected: {value: caption}, images: [preferred, other]}`."""
    try:
        caption, same, images = row["chosen"]["value"], row["rejected"]["value"], row["images"]
        one, two = images
    except (KeyError, TypeError, ValueError):
        return _read_with_care(row)
    # Nearly all rows are two paths for one caption; what is beyond doubt needs no closer look.
    plain = type(caption) is str and type(images) is list and type(one) is str and type(two) is str
    plain = plain and caption == same and "<" not in caption
    if plain and one != two and caption.strip() and one.strip() and two.strip():
        return Choice(caption, images, None)
    return _read_with_care(row)


def _read_with_care(row: Mapping[str, Any]) -> Choice:
    """The choice of a caption pair that may lack anything."""
    chosen, rejected = row.get("chosen"), row.get("rejected")
    caption = caption_of(chosen.get("value") if isinstance(chosen, dict) else None, "chosen.value")
    if not isinstance(rejected, dict) or rejected.get("value") != caption:
        raise RowRefused(Refusal.FIELD_INVALID, "rejected.value", "is not the caption that chosen.value has")
    images = list_of(row.get("images"), "images")
    if len(images) != 2:
        raise RowRefused(Refusal.IMAGE_MISSING, "images", f"has {len(images)} images, not two")
    return _preferred_first(caption, images[0], images[1], ("images[0]", "images[1]"))


def read_hpdv3(row: Mapping[str, Any]) -> Choice:
    """The choice of `{prompt, path1, path2}`, of which path1 is preferred."""
    caption = caption_of(row.get("prompt"), "prompt")
    return _preferred_first(caption, row.get("path1"), row.get("path2"), ("path1", "path2"))


def read_pick_a_pic(row: Mapping[str, Any]) -> Choice:
    """The choice of `{caption, jpg_0, jpg_1, label_0, label_1}`; a label is the share of wins, 0.5 each for a tie."""
    caption = caption_of(row.get("caption"), "caption")
    if row.get("has_label") is False:
        raise RowRefused(Refusal.NOT_LABELLED, "has_label", "nobody has compared the two images")
    labels = _labels(row)
    images = [image_of(row.get(f"jpg_{place}"), f"jpg_{place}") for place in (0, 1)]
    refuse_equal(images, "jpg_1")
    return Choice(caption, images, labels)


def _labels(row: Mapping[str, Any]) -> tuple[float, float]:
    """Both shares of wins; the second may be left out."""
    first = number_of(row.get("label_0"), "label_0")
    second = 1 - first if row.get("label_1") is None else number_of(row["label_1"], "label_1")
    if first == second and first <= 0:
        raise RowRefused(Refusal.NOT_LABELLED, "label_0", f"both labels are {first:g}: nobody has compared the images")
    for field, label in (("label_0", first), ("label_1", second)):
        if not 0 <= label <= 1:
            raise RowRefused(Refusal.FIELD_INVALID, field, f"{label:g} is no share of wins; one is from 0 to 1")
    if not math.isclose(first + second, 1, rel_tol=0, abs_tol=LABEL_SLACK):
        raise RowRefused(Refusal.FIELD_INVALID, "label_1", f"the labels {first:g} and {second:g} do not sum to 1")
    return first, second


def _preferred_first(caption: str, preferred: Any, other: Any, fields: tuple[str, str]) -> Choice:
    images = [image_of(preferred, fields[0]), image_of(other, fields[1])]
    refuse_equal(images, fields[1])
    return Choice(caption, images, None)
