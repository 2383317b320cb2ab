"""How images are looked at once instead of in every batch: features of a frozen vision tower, kept in memory."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from dt2it_ray.models.collate import Encoder, Picture
from dt2it_ray.models.reward_model import Look, RewardModel, image_features

LOOKED_AT_TOGETHER = 16
"""Images of one pass of the vision tower in `look_once`."""
LOOKS_BYTES = 2**30
"""Image features that need more memory than this are not kept."""


def look_once(model: RewardModel, encoder: Encoder, images: Iterable[bytes], num_images: int) -> None:
    """Compute the features of all images now, so that batches need no pixels. For a frozen vision tower.

    Which images are computed together depends on their order only, so a resumed training sees the same bits. Images
    that cannot be prepared are left out. If the features would pass `LOOKS_BYTES`, batches compute their own.
    """
    looks: dict[str, Look] = {}
    known: dict[str, Picture] = {}
    distinct, size = _distinct_pictures(encoder, images), 0
    while chunk := list(itertools.islice(distinct, LOOKED_AT_TOGETHER)):
        seen = _look_at(model, chunk)
        looks |= seen
        known |= {picture.key: replace(picture, patches=picture.patches[:0]) for picture in chunk}
        size += sum(layer.nbytes for look in seen.values() for layer in look)
        if size / len(looks) * num_images > LOOKS_BYTES:
            return
    model.looks, encoder.known = looks, known


def _distinct_pictures(encoder: Encoder, images: Iterable[bytes]) -> Iterator[Picture]:
    seen: set[str] = set()
    for content in images:
        picture = encoder.picture(content)
        if isinstance(picture, Picture) and picture.key not in seen:
            seen.add(picture.key)
            yield picture


def _look_at(model: RewardModel, pictures: Sequence[Picture]) -> dict[str, Look]:
    device = model.backbone.device
    patches = torch.from_numpy(np.concatenate([picture.patches for picture in pictures])).to(device)
    grids = torch.tensor([picture.grid for picture in pictures], device=device)
    with torch.no_grad():
        layers = zip(*image_features(model.backbone, patches, grids), strict=True)
    # Cloned: the tensors are views of one that all images of the call share.
    return {picture.key: tuple(layer.clone() for layer in look) for picture, look in zip(pictures, layers, strict=True)}
