"""Which rows show the preferred image first, so that position carries no label (arXiv 2604.19544)."""

import collections

import pyarrow as pa

from dt2it_ray.data.ids import content_id


def assign_first(
    keys: pa.Array | pa.ChunkedArray, groups: pa.Array | pa.ChunkedArray, seed: int = 42
) -> pa.BooleanArray:
    """Per row, whether the preferred image comes first: exactly floor(n / 2) of the n rows of every group.

    Rows of a group are ordered by a hash of seed, group and key, and the first half is taken: the order of rows does
    not matter. Keys must be unique inside their group.
    """
    drawn = collections.defaultdict(list)
    for row, (key, group) in enumerate(zip(keys.to_pylist(), groups.to_pylist(), strict=True)):
        drawn[group].append((content_id("first", seed, group, key), row))
    first = [False] * len(keys)
    for members in drawn.values():
        for _, row in sorted(members)[: len(members) // 2]:
            first[row] = True
    return pa.array(first, pa.bool_())
