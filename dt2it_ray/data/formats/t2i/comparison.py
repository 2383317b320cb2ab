"""How two compared images are named by their content, and how they are written as a LLaMA-Factory row."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from dt2it_ray.data.formats.t2i.choice import Image
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.t2i_wording import chosen_and_rejected, comparison_question
from dt2it_ray.errors import InputError


class Comparison(NamedTuple):
    """Two images made from one caption, the better one first; for a tie the earlier one."""

    caption: str
    better: Image
    worse: Image
    strength: float | None
    tied: bool


IMAGE_MARKS = "<image><image>"
"""LLaMA-Factory wants as many marks as a row has images; they stand before the text, as in a user's turn."""


def image_name(image: Image) -> str:
    """A text that stands for the image in content hashes: its path or address, or a hash of its bytes."""
    if isinstance(image, str):
        return image
    return content_id("image", image["bytes"]) if image["bytes"] else image["path"]


def key_of(comparison: Comparison) -> bytes:
    """What the position is drawn by: the caption and both images, the better one first."""
    better, worse = image_name(comparison.better), image_name(comparison.worse)
    # No caption or path has this character, so that no two comparisons have one key.
    return f"{comparison.caption}\0{better}\0{worse}".encode()


def json_rows() -> Callable[[Comparison, bool], bytes]:
    """A function from a comparison, and whether its better image is shown first, to its row in JSON, without newline.

    `margin` is there where the strength is known. Images are paths. Raises InputError for images that have none.
    """
    endings = {(first, tied): _answers(first, tied) for first in (True, False) for tied in (True, False)}
    dumps = orjson.dumps

    def row(comparison: Comparison, first: bool) -> bytes:
        caption, better, worse, strength, tied = comparison
        shown = (_path_of(better), _path_of(worse)) if first else (_path_of(worse), _path_of(better))
        return b'{"conversations":[{"from":"human","value":%b}],%b,"images":%b%b}' % (
            dumps(IMAGE_MARKS + comparison_question(caption)),
            endings[first, tied],
            dumps(shown),
            b"" if strength is None else b',"margin":%b' % dumps(strength),
        )

    return row


def _answers(first: bool, tied: bool) -> bytes:
    chosen, rejected = (orjson.dumps({"from": "gpt", "value": text}) for text in chosen_and_rejected(first, tied))
    return b'"chosen":%b,"rejected":%b' % (chosen, rejected)


def _path_of(image: Image) -> str:
    if isinstance(image, str):
        return image
    if image["bytes"]:
        raise InputError(
            f"an image ({image['path'] or 'without a path'}) is stored as bytes, which JSON cannot hold: "
            "write Parquet, --output NAME.parquet"
        )
    return image["path"]


def plain_row(comparison: Comparison, first: bool) -> dict[str, Any]:
    """The row as plain values, with images as they came and `margin` None where the strength is not known."""
    chosen, rejected = chosen_and_rejected(first, comparison.tied)
    images = [comparison.better, comparison.worse] if first else [comparison.worse, comparison.better]
    return {
        "conversations": [{"from": "human", "value": IMAGE_MARKS + comparison_question(comparison.caption)}],
        "chosen": {"from": "gpt", "value": chosen},
        "rejected": {"from": "gpt", "value": rejected},
        "images": images,
        "margin": comparison.strength,
    }


def with_bytes(image: Image) -> Mapping[str, Any]:
    """The image as a mapping of bytes and path."""
    return {"bytes": None, "path": image} if isinstance(image, str) else image
