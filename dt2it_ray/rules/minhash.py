"""Which texts share most of their wording: MinHash signatures (Broder 1997), banded so that few pairs are compared."""

import functools
from collections.abc import Iterator

import numpy as np

from dt2it_ray.data.chat import language_of
from dt2it_ray.rules.equal_keys import Groups, Places, pairs_of_equal

MOST_ALIKE = 64
"""Of texts that share a band, each is compared with at most so many others: the first by their place."""
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_STEP = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1


def signature_of(text: str, shingle: int, permutations: int) -> bytes:
    """The least hash of the text's shingles under each permutation, as little-endian uint32.

    A shingle is `shingle` characters, or half as many of a Chinese text.
    """
    size = shingle if language_of(text) == "en" else max(1, shingle // 2)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    if len(codes) < size:
        codes = np.pad(codes, (0, size - len(codes)))
    count = len(codes) - size + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for offset in range(size):
        hashes = hashes * np.uint64(_STEP) + codes[offset : offset + count]
    factors, shifts = _permutations(permutations)
    shuffled = _mixed(np.unique(hashes))[:, None] * factors + shifts
    return (shuffled.min(axis=0) >> np.uint64(32)).astype("<u4").tobytes()


def alike_groups(signatures: np.ndarray, least_alike: float) -> np.ndarray:
    """For each signature (rows of uint32) the lowest place of those alike, directly or through others.

    Texts are alike if their signatures share at least `least_alike` of their values, which is what part of their
    shingles they share (Jaccard), with a standard deviation of 0.05 for 64 values. Pairs at the threshold are found
    with a probability of at least 0.95, more alike ones nearly surely.
    """
    groups = Groups(len(signatures))
    for lefts, rights in _candidates(signatures, signatures, least_alike):
        apart = groups.are_apart(lefts, rights)
        lefts, rights = lefts[apart], rights[apart]
        alike = _are_alike(signatures[lefts], signatures[rights], least_alike)
        groups.join(lefts[alike], rights[alike])
    return groups.lowest


def have_alike(signatures: np.ndarray, known: np.ndarray, least_alike: float) -> np.ndarray:
    """Which signatures are alike to one of the known ones, in the sense of `alike_groups`."""
    found = np.zeros(len(signatures), dtype=bool)
    for lefts, rights in _candidates(signatures, known, least_alike):
        left = ~found[lefts]
        lefts, rights = lefts[left], rights[left]
        found[lefts[_are_alike(signatures[lefts], known[rights], least_alike)]] = True
    return found


def _candidates(left: np.ndarray, right: np.ndarray, least_alike: float) -> Iterator[Places]:
    width = _band_width(left.shape[1], least_alike)
    for start in range(0, left.shape[1] - width + 1, width):
        keys = (_band_keys(signatures[:, start : start + width]) for signatures in (left, right))
        yield from pairs_of_equal(*keys, most=MOST_ALIKE)


def _are_alike(left: np.ndarray, right: np.ndarray, least_alike: float) -> np.ndarray:
    return (left == right).mean(axis=1) >= least_alike


def _band_width(permutations: int, least_alike: float) -> int:
    """The widest bands by which a pair at the threshold is still found with a probability of 0.95."""
    for width in range(permutations, 1, -1):
        missed = (1 - least_alike**width) ** (permutations // width)
        if missed <= 0.05:
            return width
    return 1


def _band_keys(band: np.ndarray) -> np.ndarray:
    keys = np.zeros(len(band), dtype=np.uint64)
    for column in band.T:
        keys = _mixed(keys * np.uint64(_STEP) + column.astype(np.uint64))
    return keys


@functools.cache
def _permutations(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Odd factors and shifts, the same ones everywhere: signatures of different runs can be compared."""
    words = _mixed(np.array([_STEP * (place + 1) & _WORD for place in range(2 * count)], dtype=np.uint64))
    return words[:count] | np.uint64(1), words[count:]


def _mixed(words: np.ndarray) -> np.ndarray:
    """The finisher of SplitMix64: every bit of a word depends on every other."""
    words = (words ^ (words >> np.uint64(30))) * _MIX[0]
    words = (words ^ (words >> np.uint64(27))) * _MIX[1]
    return words ^ (words >> np.uint64(31))
