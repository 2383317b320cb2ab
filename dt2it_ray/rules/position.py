"""Which rows show the preferred image first, so that position carries no label (arXiv 2604.19544)."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from dt2it_ray.data.ids import content_digest

if TYPE_CHECKING:
    import pyarrow as pa

DRAW_BYTES = 8
"""Of a draw, big-endian: two of ten million keys share one with a chance of 3 in a million."""


def drawer(seed: int, group: str) -> Callable[[bytes], bytes]:
    """A function from a row's key to its draw, by content alone; another seed or group gives other draws."""
    start = content_digest("first", seed, group)
    pack = struct.Struct("<Q").pack

    def draw(key: bytes) -> bytes:
        digest = start.copy()
        digest.update(pack(len(key)) + key)
        return digest.digest()[:DRAW_BYTES]

    return draw


def draws_of(keys: Iterable[bytes], seed: int, group: str) -> bytes:
    """The draws of many rows by their keys, one after the other: those that `drawer` gives."""
    start, pack = content_digest("first", seed, group), struct.Struct("<Q").pack
    copy, digests = start.copy, []
    add = digests.append
    for key in keys:
        digest = copy()
        digest.update(pack(len(key)) + key)
        add(digest.digest())
    whole = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, start.digest_size)
    return whole[:, :DRAW_BYTES].tobytes()


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
        first[rows] = first_half(draws_of((named[row].encode() for row in rows), seed, group))
    return pa.array(first, pa.bool_())
