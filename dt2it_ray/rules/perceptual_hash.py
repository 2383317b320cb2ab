"""Which pictures look the same: 64 bits of what a picture shows at low resolution, and which hashes are close.

The bits are the signs of low frequencies about their median (Zauner 2010, "Implementation and Benchmarking of
Perceptual Image Hash Functions"), so that scaling and compressing a picture changes few of them.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from PIL import Image

from dt2it_ray.rules.equal_keys import Groups, Places, pairs_of_equal

BITS = 64
MOST_COMPARED = 1024
"""Of hashes that share a segment, each is compared with at most so many, the first ones. Of a million different
pictures some 122 share one."""
SIDE = 32
FREQUENCIES = 8
LEAST_CONTRAST = 2.0
"""Standard deviation of grey levels below which a picture has no look of its own: all blank pages would be one."""
_WAVES = np.cos(np.pi / SIDE * (np.arange(SIDE) + 0.5) * np.arange(FREQUENCIES)[:, None])
_PLACES = np.uint64(1) << np.arange(BITS, dtype=np.uint64)


def perceptual_hash(picture: Image.Image) -> int | None:
    """The hash of a picture, below 2**64; None for one that is nearly of one colour."""
    small = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    grey = np.asarray(small, dtype=np.float64)
    if grey.std() < LEAST_CONTRAST:
        return None
    waves = (_WAVES @ grey @ _WAVES.T).ravel()
    return int(_PLACES[waves > np.median(waves)].sum())


def look_groups(hashes: np.ndarray, most_bits: int) -> np.ndarray:
    """For each hash (uint64) the lowest place of those that are near it, directly or through others."""
    groups = Groups(len(hashes))
    for lefts, rights in _candidates(hashes, hashes, most_bits):
        apart = groups.are_apart(lefts, rights)
        lefts, rights = lefts[apart], rights[apart]
        near = np.bitwise_count(hashes[lefts] ^ hashes[rights]) <= most_bits
        groups.join(lefts[near], rights[near])
    return groups.lowest


def have_close_looks(hashes: np.ndarray, known: np.ndarray, most_bits: int) -> np.ndarray:
    """Which hashes differ from one of the known ones in at most `most_bits` bits."""
    found = np.zeros(len(hashes), dtype=bool)
    for lefts, rights in _candidates(hashes, known, most_bits):
        found[lefts[np.bitwise_count(hashes[lefts] ^ known[rights]) <= most_bits]] = True
    return found


def _candidates(left: np.ndarray, right: np.ndarray, most_bits: int) -> Iterator[Places]:
    """Pairs that may be near: two hashes that differ in `most_bits` bits agree in one of `most_bits + 1` segments."""
    edges = np.linspace(0, BITS, most_bits + 2).astype(int)
    for low, high in itertools.pairwise(edges):
        mask = np.uint64((1 << int(high)) - (1 << int(low)))
        yield from pairs_of_equal(left & mask, right & mask, most=MOST_COMPARED)
