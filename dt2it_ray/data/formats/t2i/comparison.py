"""How two compared images are named by their content, and how they are written as a LLaMA-Factory row."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from dt2it_ray.data.formats.t2i.choice import Choice, Image
from dt2it_ray.data.ids import content_id
from dt2it_ray.data.t2i_wording import FIRST_BETTER, SECOND_BETTER, chosen_and_rejected, comparison_question
from dt2it_ray.errors import InputError

Pair = tuple[int, int, float | None, bool]
"""The places of the better and the worse image of a choice, the strength, and whether neither is better."""

IMAGE_MARKS = "<image><image>"
"""LLaMA-Factory wants as many marks as a row has images; they stand before the text, as in a user's turn."""

BEFORE_QUESTION = b'{"conversations":[{"from":"human","value":'


def image_name(image: Image) -> str:
    """A text that stands for the image in content hashes: its path or address, or a hash of its bytes."""
    if isinstance(image, str):
        return image
    return content_id("image", image["bytes"])


def key_of(choice: Choice, pair: Pair) -> bytes:
    """What the position of a pair is drawn by: the caption and both images, the better one first."""
    caption, images, _ = choice
    better, worse = images[pair[0]], images[pair[1]]
    if type(better) is str and type(worse) is str:
        # No path has this character, so that no two pairs of images have one key.
        return f"{caption}\0{better}\0{worse}".encode()
    return f"{caption}\0{image_name(better)}\0{image_name(worse)}".encode()


def json_rows() -> Callable[[Choice, Pair, bool], bytes]:
    """A function from a pair of a choice, and whether its better image is shown first, to its row as a line of JSON
    without its end.

    `margin` is there where the strength is known. Images are paths. Raises InputError for images held as bytes.
    """
    answers = {(first, tied): _answers(first, tied) for first in (True, False) for tied in (True, False)}
    dumps = orjson.dumps

    def row(choice: Choice, pair: Pair, first: bool) -> bytes:
        caption, images, _ = choice
        better, worse, strength, tied = pair
        shown = (images[better], images[worse]) if first else (images[worse], images[better])
        if type(shown[0]) is not str or type(shown[1]) is not str:
            shown = (_path_of(shown[0]), _path_of(shown[1]))
        end = b"}" if strength is None else b',"margin":%b}' % dumps(strength)
        question = dumps(f"{IMAGE_MARKS}{comparison_question(caption)}")
        return b"".join((BEFORE_QUESTION, question, answers[first, tied], dumps(shown), end))

    return row


def turn_row(row: bytes) -> bytes:
    """A row in JSON with its images in the other order and its answers to match; it is as long as before."""
    fields = orjson.loads(row)
    fields["images"].reverse()
    for side in ("chosen", "rejected"):
        text = fields[side]["value"]
        fields[side]["value"] = {FIRST_BETTER: SECOND_BETTER, SECOND_BETTER: FIRST_BETTER}.get(text, text)
    return orjson.dumps(fields)


def _answers(first: bool, tied: bool) -> bytes:
    """What stands between the question and the images of a row."""
    chosen, rejected = (orjson.dumps({"from": "gpt", "value": text}) for text in chosen_and_rejected(first, tied))
    return b'}],"chosen":%b,"rejected":%b,"images":' % (chosen, rejected)


def _path_of(image: Image) -> str:
    if isinstance(image, str):
        return image
    raise InputError(
        f"an image ({image['path'] or 'without a path'}) is stored as bytes, which JSON cannot hold: "
        "write Parquet, --output NAME.parquet"
    )


def plain_row(choice: Choice, pair: Pair, first: bool) -> dict[str, Any]:
    """The row as plain values, with images as they came and `margin` None where the strength is not known."""
    better, worse, strength, tied = pair
    chosen, rejected = chosen_and_rejected(first, tied)
    return {
        "conversations": [{"from": "human", "value": IMAGE_MARKS + comparison_question(choice.caption)}],
        "chosen": {"from": "gpt", "value": chosen},
        "rejected": {"from": "gpt", "value": rejected},
        "images": [choice.images[place] for place in ((better, worse) if first else (worse, better))],
        "margin": strength,
    }


def with_bytes(image: Image) -> Mapping[str, Any]:
    """The image as a mapping of bytes and path."""
    return {"bytes": None, "path": image} if isinstance(image, str) else image
