"""How all rows of a benchmark are read in file order for an evaluation: every record has a place, whatever it holds."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.data.formats.benchmark import BenchmarkFormat, BenchmarkPair
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.files import Files, read_whole
from dt2it_ray.data.formats.read_batch import Record
from dt2it_ray.data.formats.records import read_records
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import InputError

PARQUET = ".parquet"
OF_SHARDS = re.compile(r"-of-(\d+)\.parquet$")
ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class PlacedRow:
    """One row of a benchmark at its place, with what it says or why it cannot be used."""

    record: Record
    pair: BenchmarkPair | RowRefused

    @property
    def where(self) -> str:
        """File and number of the row, for messages."""
        return f"{self.record.file} row {self.record.number}"


def row_files(format: BenchmarkFormat, folder: Files) -> list[str]:
    """The files of a released folder that hold its rows, in order.

    Raises:
        InputError: there is none, or a shard is missing.
    """
    return files_of(format.name, format.files, folder)


def files_of(benchmark: str, patterns: Sequence[str], folder: Files) -> list[str]:
    """The same for a benchmark's name and the patterns of its files; the first pattern that fits any decides."""
    names = folder.names(recursive=True)
    for pattern in patterns:
        found = [name for name in names if re.fullmatch(pattern, name)]
        if found:
            _refuse_lacking_shards(found, folder)
            return found
    raise InputError(
        f"{folder.path('')} has no file of {benchmark}; looked for {', '.join(patterns)}. "
        "Name the file of rows itself, or download the benchmark again."
    )


def read_rows(format: BenchmarkFormat, folder: Files, names: list[str], images: bool = False) -> Iterator[PlacedRow]:
    """Every row of the files. Without `images`, columns of a Parquet file that the labels do not need are not read.

    Raises:
        InputError: a file cannot be read or holds no list of records.
    """
    for name in names:
        for record in _records(format, folder, name, images):
            yield PlacedRow(record, _said(format, record))


def _said(format: BenchmarkFormat, record: Record) -> BenchmarkPair | RowRefused:
    if not isinstance(record.fields, dict):
        return RowRefused(DropReason.FIELD_INVALID, "whole row", "not a JSON object")
    try:
        return format.pair(record.fields)
    except RowRefused as refusal:
        return refusal


def _records(format: BenchmarkFormat, folder: Files, name: str, images: bool) -> Iterator[Record]:
    if format.rows_in and name.endswith(".json"):
        return _of_object(format, folder, name)
    if name.endswith(PARQUET) and format.columns and not images:
        return _narrow(format, folder, name)
    return read_records(folder, name)


def _narrow(format: BenchmarkFormat, folder: Files, name: str) -> Iterator[Record]:
    number = 0
    try:
        with folder.stream(name) as stream:
            file = pq.ParquetFile(stream)
            wanted = [column for column in format.columns if column in file.schema_arrow.names]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=wanted, use_threads=False):
                for fields in batch.to_pylist():
                    number += 1
                    yield Record(name, number, fields)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{folder.path(name)} is cut off or not Parquet: {reason}. Download it again.") from None


def _of_object(format: BenchmarkFormat, folder: Files, name: str) -> Iterator[Record]:
    try:
        tree: Any = json.loads(read_whole(folder, name))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{folder.path(name)} is cut off or not JSON: {error}. Download it again.") from None
    rows = tree.get(format.rows_in) if isinstance(tree, dict) else tree
    if not isinstance(rows, list):
        raise InputError(f"{folder.path(name)} holds no list `{format.rows_in}` of rows. Is it {format.name}?")
    task = PurePosixPath(name).stem
    for number, fields in enumerate(rows, start=1):
        # The file's name says the task, which rows of such benchmarks do not.
        yield Record(name, number, {"file": task, **fields} if isinstance(fields, dict) else fields)


def _refuse_lacking_shards(names: list[str], folder: Files) -> None:
    promised = {int(match.group(1)) for name in names if (match := OF_SHARDS.search(name))}
    if promised and promised != {len(names)}:
        raise InputError(
            f"{folder.path('')} has {len(names)} files of rows, their names promise {sorted(promised)}. "
            "Download the missing ones, or remove those of an older release."
        )
