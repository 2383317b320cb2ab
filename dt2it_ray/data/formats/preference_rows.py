"""How a preference is written in the formats that trainers read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

PLACEHOLDER = "<image>"


def flat_row(preference: Mapping[str, Any], images: Sequence[str]) -> dict[str, Any]:
    """The flat row of the DT2IT scripts; `image_path` if there is one image, `images` if there are several."""
    named = {"image_path": images[0]} if len(images) == 1 else {"images": list(images)} if images else {}
    return {**named, **{field: preference[field] for field in ("question", "chosen", "rejected", "strength", "source")}}


def llama_factory_row(preference: Mapping[str, Any], images: Sequence[str]) -> dict[str, Any]:
    """LLaMA-Factory's sharegpt row of ranked data; it passes `strength` over."""
    return {
        "conversations": [{"from": "human", "value": PLACEHOLDER * len(images) + preference["question"]}],
        "chosen": {"from": "gpt", "value": preference["chosen"]},
        "rejected": {"from": "gpt", "value": preference["rejected"]},
        "images": list(images),
        "strength": preference["strength"],
    }


PREFERENCE_ROWS: dict[str, Callable[[Mapping[str, Any], Sequence[str]], dict[str, Any]]] = {
    "flat": flat_row,
    "llama_factory": llama_factory_row,
}
"""Row writers by format; they take a row of PREFERENCES and the names of its images."""
