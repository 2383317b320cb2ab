"""How rows come out of Parquet and Arrow files, some at a time."""

import io
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.data.formats.containers.block import BROKEN, RowGroup, told
from dt2it_ray.data.formats.containers.lines import Numbered
from dt2it_ray.data.formats.files import Files
from dt2it_ray.errors import InputError

ROWS_AT_ONCE = 256
"""Rows that become Python values at once; a row may hold images."""
IN_MEMORY_BYTES = 32 << 20
"""Largest member of an archive that is kept in memory."""
COPIED_BYTES = 1 << 20
UNREADABLE = (ValueError, OverflowError)
"""What a value raises that Python has no value for: text that is no UTF-8, a date behind the year 9999."""
ARROW_FILE = b"ARROW1"
"""How an Arrow file begins; anything else is a stream, which `datasets` writes."""


def cut_parquet(folder: Files, name: str) -> Iterator[tuple[int, RowGroup]]:
    """The row groups of a Parquet file.

    Raises:
        InputError: the file is cut off or no Parquet.
    """
    first = 1
    try:
        with folder.stream(name) as stream:
            metadata = pq.ParquetFile(_seekable(stream)).metadata
            sizes = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]
    except BROKEN as error:
        raise InputError(f"cannot read {folder.path(name)}, cut off or no Parquet: {told(error)}") from None
    for index, size in enumerate(sizes):
        yield first, RowGroup(folder, name, index)
        first += size


def cut_packed_parquet(folder: Files, name: str) -> Iterator[tuple[int, bytes]]:
    """The rows of a Parquet file in an archive, which no worker shall open again, as Arrow streams.

    Raises:
        InputError: the file is cut off or no Parquet.
    """
    first = 1
    try:
        with folder.stream(name) as stream:
            file = pq.ParquetFile(_seekable(stream))
            # Read all at once, the groups would all stay in memory.
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[group], use_threads=False):
                    yield first, _encoded(batch)
                    first += batch.num_rows
    except BROKEN as error:
        where = folder.path(name)
        raise InputError(f"cannot read {where}, cut off or no Parquet behind row {first - 1}: {told(error)}") from None


def parse_parquet(place: RowGroup, first: int) -> Iterator[Numbered]:
    """The rows of a row group; one with a value that is none, such as text that is no UTF-8, is a text.

    Raises:
        InputError: it is damaged.
    """
    number = first
    try:
        with place.folder.stream(place.name) as stream:
            file = pq.ParquetFile(_seekable(stream))
            for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[place.group], use_threads=False):
                for row in _rows(batch):
                    yield number, row
                    number += 1
    except BROKEN as error:
        where = place.folder.path(place.name)
        raise InputError(f"cannot read {where}, damaged behind row {number - 1}: {told(error)}") from None


def _rows(batch: pa.RecordBatch) -> list[Any]:
    try:
        return batch.to_pylist()
    except UNREADABLE:
        return [_row(batch.slice(place, 1)) for place in range(batch.num_rows)]


def _row(one: pa.RecordBatch) -> Any:
    """The fields of a batch of one row, or a text that names those that cannot be read, with the others."""
    fields, broken = {}, []
    for name, column in zip(one.schema.names, one.columns, strict=True):
        try:
            fields[name] = column.to_pylist()[0]
        except UNREADABLE as error:
            broken.append(f"column {name} cannot be read: {told(error)}")
    return f"{'; '.join(broken)}; the others: {ascii(fields)[:2000]}" if broken else fields


def cut_arrow(stream: Any, where: str) -> Iterator[tuple[int, bytes]]:
    """The record batches of an Arrow stream or file, each as a stream of its own.

    Raises:
        InputError: the file is cut off or no Arrow.
    """
    first = 1
    try:
        for batch in _batches(stream):
            # Arrow trusts offsets and names: damaged ones would end the process that follows them, or raise there.
            batch.validate(full=True)
            str(batch.schema)
            for part in range(0, batch.num_rows, ROWS_AT_ONCE):
                yield first + part, _encoded(batch.slice(part, ROWS_AT_ONCE))
            first += batch.num_rows
    except BROKEN as error:
        reason = told(error)
        raise InputError(f"{where} is cut off or no Arrow behind row {first - 1}: {reason}") from None


def parse_arrow(batch: bytes, first: int) -> Iterator[Numbered]:
    """The rows of a record batch."""
    with pa.ipc.open_stream(batch) as reader:
        yield from enumerate((row for part in reader for row in _rows(part)), first)


def _batches(stream: Any) -> Iterator[pa.RecordBatch]:
    start = stream.read(len(ARROW_FILE))
    stream.seek(0)
    if start != ARROW_FILE:
        yield from pa.ipc.open_stream(stream)
        return
    file = pa.ipc.open_file(_seekable(stream))
    for index in range(file.num_record_batches):
        yield file.get_batch(index)


def _encoded(batch: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _seekable(stream: Any) -> Any:
    """The file itself, or a copy where going back in it is slow: members of archives. A large one is copied to disk,
    for nobody knows how large a packed member is."""
    if isinstance(stream, pa.NativeFile):
        return stream
    # It has no name and is gone when nobody reads it any more.
    copy: Any = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115
    shutil.copyfileobj(stream, copy, COPIED_BYTES)
    copy.seek(0)
    return pa.PythonFile(copy, mode="r")
