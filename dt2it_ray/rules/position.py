"""Which rows show the preferred image first, so that position carries no label (arXiv 2604.19544)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
from xxhash import xxh3_64_digest

from dt2it_ray.data.ids import content_digest

if TYPE_CHECKING:
    import pyarrow as pa

DRAW_BYTES = 8
"""Of a draw, big-endian: two of ten million keys share one with a chance of 3 in a million."""


def drawer(seed: int, group: str) -> Callable[[bytes], bytes]:
    """A function from a row's key to its draw, by content alone; another seed or group gives other draws."""
    start = _start(seed, group)
    return lambda key: xxh3_64_digest(key, start)


def draws_of(keys: Iterable[bytes], seed: int, group: str) -> bytes:
    """The draws of many rows by their keys, one after the other: those that `drawer` gives."""
    return b"".join(map(xxh3_64_digest, keys, repeat(_start(seed, group))))


def _start(seed: int, group: str) -> int:
    """What a hash of keys starts from. XXH3 is six times as fast as BLAKE2 here, and nobody gains by forging a key."""
    return int.from_bytes(content_digest("first", seed, group).digest()[:DRAW_BYTES], "big")


def is_low(draw: bytes) -> bool:
    """Whether a draw is in the lower half of all possible ones: a guess at `first_half` for one row alone."""
    return draw[0] < 128


def lower_half(draws: bytes) -> np.ndarray:
    """`is_low` of every draw."""
    return np.frombuffer(draws, np.uint8)[::DRAW_BYTES] < 128


def first_half(draws: bytes) -> np.ndarray:
    """Per row, whether its preferred image comes first: true for the floor(n / 2) of the n rows with the least draws.

    `draws` are those of all rows of one data set, one after the other. Rows that share a draw are taken in their order:
    copies of one row may be told apart by nothing else, and swapping copies changes no row.
    """
    numbers = np.frombuffer(draws, ">u8").astype(np.uint64)
    half = len(numbers) // 2
    if not half:
        return np.zeros(len(numbers), bool)
    cut = np.partition(numbers, half - 1)[half - 1]
    first = numbers < cut
    first[np.flatnonzero(numbers == cut)[: half - int(first.sum())]] = True
    return first


def assign_first(
    keys: pa.Array | pa.ChunkedArray, groups: pa.Array | pa.ChunkedArray, seed: int = 42
) -> pa.BooleanArray:
    """Per row, whether the preferred image comes first: exactly floor(n / 2) of the n rows of every group.

    Rows of a group are ordered by a hash of seed, group and key, and the first half is taken: the order of rows does
    not matter. Keys must be unique inside their group.
    """
    import pyarrow as pa

    members = defaultdict(list)
    for row, group in enumerate(groups.to_pylist()):
        members[group].append(row)
    named = keys.to_pylist()
    first = np.zeros(len(named), bool)
    for group, rows in members.items():
        digests = (content_digest("first", seed, group, named[row]).digest() for row in rows)
        first[rows] = first_half(b"".join(digest[:DRAW_BYTES] for digest in digests))
    return pa.array(first, pa.bool_())
