"""How rows of one image with one score are gathered by prompt: EvalMuse and the flat rows of ImageRewardDB."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dt2it_ray.data.formats.t2i.choice import Image, caption_of, image_of, number_of


class Rated(NamedTuple):
    """One image made from a caption; images of the same `group` were made from the same caption."""

    group: str
    caption: str
    image: Image
    score: float


def read_evalmuse(row: Mapping[str, Any]) -> Rated:
    """The image of `{prompt, image, score}`, higher scores being better."""
    caption = caption_of(row.get("prompt"), "prompt")
    return Rated(caption, caption, image_of(row.get("image"), "image"), number_of(row.get("score"), "score"))


def read_image_reward_row(row: Mapping[str, Any]) -> Rated:
    """The image of `{prompt_id, prompt, image_path, rank}`, in which rank 1 is best."""
    caption = caption_of(row.get("prompt"), "prompt")
    image = image_of(row.get("image_path"), "image_path")
    group = row.get("prompt_id")
    return Rated(caption if group is None else str(group), caption, image, -number_of(row.get("rank"), "rank"))
