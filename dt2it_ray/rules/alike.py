"""Which prompts count as the same: their images and questions, exactly or nearly, as one key each."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.rules.minhash import alike_groups
from dt2it_ray.rules.perceptual_hash import look_groups

BETWEEN = "\x1f"


@dataclass(frozen=True)
class Nearness:
    """How near is the same. None: only what is equal."""

    look_bits: int | None = None
    """Most bits by which the perceptual hashes of one image differ."""
    question_alike: float | None = None
    """Least part of the shingles that one question's texts share."""


def image_groups(image_keys: pa.ChunkedArray, looks: pa.ChunkedArray, near: Nearness) -> pa.Array:
    """One text per row: equal for rows whose images are the same, one by one in order; empty for no image.

    Images that are near each other through others count as the same, too. The result does not depend on the order of
    rows.
    """
    keys, looks = _flat(image_keys), _flat(looks)
    names = keys.values if near.look_bits is None else _by_look(keys.values, looks.values, near.look_bits)
    return pc.binary_join(pa.ListArray.from_arrays(keys.offsets, names), BETWEEN)


def question_groups(question_keys: pa.ChunkedArray, signatures: pa.ChunkedArray, near: Nearness) -> pa.Array:
    """One text per row, equal for rows whose questions are the same."""
    keys = question_keys.combine_chunks()
    if near.question_alike is None or not len(keys):
        return keys
    distinct, first = np.unique(np.asarray(keys.to_numpy(zero_copy_only=False)), return_index=True)
    rows = as_signatures(signatures.combine_chunks().take(pa.array(first)))
    lowest = alike_groups(rows, near.question_alike)
    names = pa.array(distinct, pa.string())
    return names.take(pa.array(lowest)).take(pc.index_in(keys, value_set=names))


def as_signatures(column: pa.Array) -> np.ndarray:
    """MinHash signatures as rows of uint32."""
    return np.frombuffer(b"".join(column.to_pylist()), dtype="<u4").reshape(len(column), -1)


def distinct_looks(looks: pa.Array) -> np.ndarray:
    """The perceptual hashes that there are, in ascending order."""
    return np.unique(looks.drop_null().to_numpy())


def _by_look(names: pa.Array, looks: pa.Array, most_bits: int) -> pa.Array:
    """Names of images, by the lowest hash near theirs where they have one."""
    hashes = distinct_looks(looks)
    if not len(hashes):
        return names
    lowest = hashes[look_groups(hashes, most_bits)]
    place = pc.index_in(looks, value_set=pa.array(hashes))
    return pc.coalesce(pc.cast(pa.array(lowest).take(place), pa.string()), names)


def _flat(column: pa.ChunkedArray) -> pa.ListArray:
    """The lists in one piece, whose values start with those of the first row."""
    lists = column.combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    offsets = np.concatenate([[0], np.cumsum(lengths.to_numpy(zero_copy_only=False))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pc.list_flatten(lists))
