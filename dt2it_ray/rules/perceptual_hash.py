"""Which pictures look the same: 64 bits of what a picture shows at low resolution, and which hashes are close.

The bits are the signs of low frequencies about their median (Zauner 2010, "Implementation and Benchmarking of
Perceptual Image Hash Functions"), so that scaling and compressing a picture changes few of them.
"""

import itertools

import numpy as np
from PIL import Image

from dt2it_ray.rules.equal_keys import Places, pairs_of_equal

BITS = 64
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


def close_looks(left: np.ndarray, right: np.ndarray, most_bits: int) -> Places:
    """Places in two arrays of hashes (uint64) that differ in at most `most_bits` bits.

    Two such hashes agree in one of `most_bits + 1` segments of the 64 bits: only those are compared.
    """
    edges = np.linspace(0, BITS, most_bits + 2).astype(int)
    found = [np.empty((2, 0), dtype=np.int64)]
    for low, high in itertools.pairwise(edges):
        mask = np.uint64((1 << int(high)) - (1 << int(low)))
        for lefts, rights in pairs_of_equal(left & mask, right & mask):
            close = np.bitwise_count(left[lefts] ^ right[rights]) <= most_bits
            found.append(np.stack([lefts[close], rights[close]]))
    pairs = np.unique(np.concatenate(found, axis=1), axis=1)
    return pairs[0], pairs[1]
