"""Pictures that were scaled or compressed keep their look; others have another one; blank ones have none."""

import io

import numpy as np
import pytest
from PIL import Image

from dt2it_ray.data.images import decode
from dt2it_ray.data.scenes.prompts import distill_row
from dt2it_ray.rules.perceptual_hash import have_close_looks, look_groups, perceptual_hash


def scenes(count: int) -> list[Image.Image]:
    rows = [distill_row(f"p{number}", "distill", 0, number) for number in range(count)]
    return [decode(row["images"][0]["bytes"]) for row in rows]


def compressed(picture: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=60)
    return Image.open(io.BytesIO(stream.getvalue()))


def bits(one: int | None, other: int | None) -> int:
    assert one is not None
    assert other is not None
    return (one ^ other).bit_count()


def test_copies_are_near_and_other_pictures_are_far() -> None:
    pictures = scenes(40)
    looks = [perceptual_hash(picture) for picture in pictures]
    for picture, look in zip(pictures, looks, strict=True):
        assert bits(look, perceptual_hash(compressed(picture))) <= 6
        assert bits(look, perceptual_hash(picture.resize((160, 130)))) <= 6
    far = [bits(one, other) for place, one in enumerate(looks) for other in looks[:place]]
    assert np.median(far) > 16


@pytest.mark.parametrize("colour", ["white", "black", (200, 10, 30)])
def test_a_blank_picture_has_no_look(colour: str | tuple[int, int, int]) -> None:
    assert perceptual_hash(Image.new("RGB", (80, 60), colour)) is None


@pytest.mark.parametrize("most_bits", [0, 1, 4, 10])
def test_close_hashes_are_those_that_comparing_all_finds(most_bits: int) -> None:
    draw = np.random.default_rng(3)
    left = draw.integers(0, 2**64, 60, dtype=np.uint64)
    flips = [
        np.bitwise_or.reduce(np.uint64(1) << draw.choice(64, n, replace=False).astype(np.uint64))
        for n in (*range(1, 12), 1, 2, 3)
    ]
    right = np.concatenate([left[:14] ^ np.array(flips), left[:3], draw.integers(0, 2**64, 40, dtype=np.uint64)])
    distance = np.bitwise_count(left[:, None] ^ right[None, :])
    near = (distance <= most_bits).any(axis=1)
    assert have_close_looks(left, right, most_bits).tolist() == near.tolist()
    assert near.sum() >= 3
    both = np.unique(np.concatenate([left, right]))
    groups = look_groups(both, most_bits)
    apart = np.bitwise_count(both[:, None] ^ both[None, :]) > most_bits
    assert (apart | (groups[:, None] == groups[None, :])).all()


def test_hashes_that_are_near_through_others_are_one_group() -> None:
    chain = np.array([0b0, 0b11, 0b1111, 0xFFFF << 40], dtype=np.uint64)
    assert look_groups(chain, 2).tolist() == [0, 0, 0, 3]
    assert look_groups(chain, 1).tolist() == [0, 1, 2, 3]
