"""How a few wide rows are found in a step of any size: keys first, then only the slices that hold the rows."""

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.store.files import ROWS_PER_SLICE, Folder
from dt2it_ray.store.manifest import Manifest


def rows_where(
    run: Folder, manifest: Manifest, column: str, wanted: Collection[str], columns: list[str] | None = None
) -> list[dict]:
    """The rows of a finished step whose `column` is one of `wanted`, in the step's order."""
    data = manifest.data(run)
    values = pa.array(sorted(wanted), pa.string())
    found: list[dict] = []
    for file in manifest.files:
        keys = data.read_table(file.name, [column])[column]
        hits = pc.indices_nonzero(pc.is_in(keys, value_set=values)).to_pylist()
        for index in sorted({hit // ROWS_PER_SLICE for hit in hits}):
            rows = data.read_table(file.name, columns and sorted({column, *columns}), slice_index=index)
            found += rows.filter(pc.is_in(rows[column], value_set=values)).to_pylist()
    return found


def ids_with_prefix(run: Folder, manifest: Manifest, column: str, prefix: str) -> list[str]:
    """Values of an id column of a finished step that start with `prefix`, sorted."""
    data = manifest.data(run)
    found: list[str] = []
    for file in manifest.files:
        keys = data.read_table(file.name, [column])[column]
        found += keys.filter(pc.starts_with(keys, prefix)).to_pylist()
    return sorted(found)


def refusals_of(run: Folder, manifest: Manifest, keys: Collection[str]) -> Iterator[dict]:
    """The rows of a step's `dropped` tables whose key is one of `keys`."""
    data = manifest.data(run)
    for file in manifest.dropped:
        rows = data.read_table(file.name)
        yield from rows.filter(pc.is_in(rows["key"], value_set=pa.array(sorted(keys), pa.string()))).to_pylist()
