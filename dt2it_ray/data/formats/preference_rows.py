"""How a constructed preference is written in the formats that trainers read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dt2it_ray.data.formats.training_rows import llama_factory_row, trl_row

Row = dict[str, Any]


def flat_row(preference: Mapping[str, Any], images: Sequence[str]) -> Row:
    """The flat row of the DT2IT scripts; `image_path` if there is one image, `images` if there are several."""
    named = {"image_path": images[0]} if len(images) == 1 else {"images": list(images)} if images else {}
    return {**named, **{field: preference[field] for field in ("question", "chosen", "rejected", "strength", "source")}}


PREFERENCE_ROWS: dict[str, Callable[[Mapping[str, Any], Sequence[str]], Row | None]] = {
    "flat": flat_row,
    "llama_factory": lambda preference, images: llama_factory_row(_example(preference), images),
    "trl": lambda preference, images: trl_row(_example(preference), images),
}
"""Row writers by format; they take a row of PREFERENCES and the names of its images, and give None for one that the
format cannot hold."""


def _example(preference: Mapping[str, Any]) -> Row:
    return {**preference, "answer": preference["chosen"], "margin": preference["strength"]}
