"""How rows of several images with a rank or a vote each are read: HPDv2 and ImageRewardDB by prompt."""

from collections.abc import Mapping, Sequence
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


def read_hpdv2(row: Mapping[str, Any]) -> Choice:
    """The choice of `{prompt, image_path | file_path: [...], human_preference | rank: [...]}`.

    A preference of 1 is better than 0, as in the training split; of ranks, as in the test split, the least is best.
    """
    field = "file_path" if "file_path" in row else "image_path"
    if "human_preference" in row:
        return _scored(row, field, "human_preference", 1)
    return _scored(row, field, "rank", -1)


def read_image_reward(row: Mapping[str, Any]) -> Choice:
    """The choice of `{prompt, generations: [...], ranking: [...]}`, in which rank 1 is best and ranks may repeat."""
    return _scored(row, "generations", "ranking", -1)


def _scored(row: Mapping[str, Any], images_field: str, scores_field: str, sign: int) -> Choice:
    caption = caption_of(row.get("prompt"), "prompt")
    listed = list_of(row.get(images_field), images_field)
    images = [image_of(image, f"{images_field}[{place}]") for place, image in enumerate(listed)]
    scores = _numbers(row.get(scores_field), scores_field, sign)
    if len(images) != len(scores):
        problem = f"has {len(scores)} numbers for {len(images)} images"
        raise RowRefused(Refusal.FIELD_INVALID, scores_field, problem)
    if len(images) < 2:
        raise RowRefused(Refusal.TOO_FEW_IMAGES, images_field, f"has {len(images)} images; a choice needs two")
    refuse_equal(images, images_field)
    return Choice(caption, images, scores)


def _numbers(value: Any, field: str, sign: int) -> Sequence[float]:
    listed = list_of(value, field)
    return [sign * number_of(each, f"{field}[{place}]") for place, each in enumerate(listed)]
