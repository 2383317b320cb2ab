"""Which batches of caption pairs a Parquet file holds, and which part of it each of several processes reads."""

import itertools
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.errors import InputError

SIDES = ("chosen", "rejected")
KEY_COLUMNS = ("chosen.value", "rejected.value", "images")
"""What decides about a row."""
SHOWN_COLUMNS = ("chosen.value", "images")
"""What is shown of a row that is sound."""
ROWS_AT_ONCE = 8192
LEAST_SHARE_ROWS = 20_000
"""Fewer rows are hashed sooner than a process starts."""


def can_read_columns(path: str) -> bool:
    """Whether a Parquet file has rows, and caption pairs in plain columns: texts, and lists of paths."""
    try:
        with pq.ParquetFile(path) as parquet:
            schema, count = parquet.schema_arrow, parquet.metadata.num_rows
    except (pa.ArrowException, OSError):
        # The row-wise way tells what is wrong with the file.
        return False
    if not count or not {*SIDES, "images"} <= set(schema.names):
        return False
    sides = [schema.field(side).type for side in SIDES]
    named = all(pa.types.is_struct(side) and side.get_field_index("value") >= 0 for side in sides)
    images = schema.field("images").type
    return named and all(side.field("value").type == pa.string() for side in sides) and images == pa.list_(pa.string())


def ranges_of(path: str, most: int) -> list[range]:
    """Up to `most` ranges of the rows of the file, in its order; each row is in exactly one."""
    rows = pq.read_metadata(path).num_rows
    count = max(1, min(most, rows // LEAST_SHARE_ROWS))
    edges = [rows * part // count for part in range(count + 1)]
    return [range(*edge) for edge in itertools.pairwise(edges)]


def read_batches(
    path: str, columns: Sequence[str] | None = None, rows: range | None = None
) -> Iterator[pa.RecordBatch]:
    """The columns of some rows of the file in its order; all columns and rows if none are named.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False) as parquet:
            rows = rows or range(parquet.metadata.num_rows)
            groups, begin = _groups_with(parquet.metadata, rows)
            named = columns and list(columns)
            for batch in parquet.iter_batches(ROWS_AT_ONCE, row_groups=groups, columns=named, use_threads=False):
                part = batch.slice(max(rows.start - begin, 0), max(rows.stop - max(rows.start, begin), 0))
                begin += len(batch)
                if len(part):
                    yield part
                if begin >= rows.stop:
                    return
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"cannot read {path}: {str(error).splitlines()[0]}") from None


def _groups_with(metadata: pq.FileMetaData, rows: range) -> tuple[list[int], int]:
    """The row groups that hold some of the rows, and how many rows of the file stand before them."""
    sizes = (metadata.row_group(place).num_rows for place in range(metadata.num_row_groups))
    ends = list(itertools.accumulate(sizes, initial=0))
    groups = [
        place for place, (start, end) in enumerate(itertools.pairwise(ends)) if start < rows.stop and end > rows.start
    ]
    return groups, ends[groups[0]] if groups else 0
