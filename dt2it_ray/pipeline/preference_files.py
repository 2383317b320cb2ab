"""How constructed preferences leave a run: one file in a format that trainers read, written in a stream."""

import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.formats.preference_rows import preference_of
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS, WRITTEN
from dt2it_ray.data.formats.training_rows import ImageNames
from dt2it_ray.data.preferences import PREFERENCES
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import ConfigError
from dt2it_ray.store.files import Folder, place_of
from dt2it_ray.store.manifest import Manifest
from dt2it_ray.store.parts import DROPPED

CANNOT_HOLD = "has no place for these turns or images, or would take part of a text for a mark of its own"
SUFFIXES = {".json", ".jsonl", ".parquet"}


def check_output(source: str, output: str) -> None:
    """Raises ConfigError unless the output's name says its kind, and neither it nor the refused rows are the input."""
    if {os.path.realpath(output), os.path.realpath(dropped_name(output))} & {os.path.realpath(source)}:
        raise ConfigError(f"output={output}: writing it would destroy input={source}; give it another name")
    if PurePosixPath(output).suffix not in SUFFIXES:
        raise ConfigError(f"output={output}: its name must end in one of {', '.join(sorted(SUFFIXES))}")


@dataclass
class Written:
    """How many rows a file got, and those that its format cannot hold, as refused rows."""

    rows: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)


def rows_of(run: Folder, made: Manifest) -> Iterator[pa.Table]:
    """The rows of a finished step, file by file."""
    return (made.data(run).read_table(file.name) for file in made.files)


def write_preferences(tables: Iterator[pa.Table], output: str, to: str, columns: pa.Schema = PREFERENCES) -> Written:
    """Write preferences (tables of PREFERENCES or INGESTED) as one file.

    Parquet keeps `columns`; `.json` is a list and `.jsonl` one row per line of the format `to`. Images
    that have no file of their own are written to a folder beside the output.

    Raises:
        StoreError: the output cannot be written.
    """
    folder, name = place_of(output)
    path = PurePosixPath(name)
    if path.suffix == ".parquet":
        return Written(_write_parquet(tables, folder, name, columns))
    names, written = ImageNames(folder, f"{path.stem}_images"), Written()
    preferences = (row for table in tables for row in table.to_pylist())
    rows = _rows_held(preferences, names, to, written)
    written.rows = write_json(rows, folder, name, as_list=path.suffix == ".json")
    return written


def _rows_held(
    preferences: Iterator[Mapping[str, Any]], names: ImageNames, to: str, written: Written
) -> Iterator[Mapping[str, Any]]:
    release = PREFERENCE_FORMATS[to].release
    if release is None:
        raise ConfigError(f"to={to}: rows of this format are only read; choose one of {', '.join(WRITTEN)}")
    for preference in preferences:
        row = release(preference_of(preference), [names.name_of(image) for image in preference["images"]])
        if row is not None:
            yield row
            continue
        trouble = Dropped(DropReason.FIELD_INVALID, f"{to} {CANNOT_HOLD}")
        evidence = {name: preference[name] for name in ("question", "chosen", "rejected")}
        refused = replace(trouble, evidence=json.dumps(evidence, ensure_ascii=False))
        written.refused.append({"step": "output", **refused.row(preference["pair_id"])})


def write_dropped(
    run: Folder, manifests: Mapping[str, Manifest], output: str, more: Sequence[Mapping[str, str]] = ()
) -> int:
    """Write every row that a step of the run refused, and `more`, one line of JSON each, with its step; returns how
    many."""
    folder, name = place_of(output)
    refused = (
        {"step": step, **row}
        for step, manifest in manifests.items()
        for file in manifest.dropped
        for row in manifest.data(run).read_table(file.name).to_pylist()
    )
    rows = itertools.chain(refused, more)
    return write_json(rows, folder, dropped_name(name), as_list=False)


def dropped_name(output: str) -> str:
    """The file of refused rows beside an output."""
    return f"{output}.{DROPPED}.jsonl"


def _write_parquet(tables: Iterator[pa.Table], folder: Folder, name: str, columns: pa.Schema) -> int:
    written = 0
    with folder.replacing(name) as stream, pq.ParquetWriter(stream, columns, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.select(columns.names))
            written += table.num_rows
    return written


def write_json(rows: Iterator[Mapping[str, Any]], folder: Folder, name: str, as_list: bool) -> int:
    """Write rows as a list of JSON, or one a line; returns how many."""
    before, between, after = ("[\n", ",\n", "\n]\n") if as_list else ("", "\n", "\n")
    written = 0
    with folder.replacing(name) as stream:
        for row in rows:
            text = json.dumps(row, ensure_ascii=False)
            stream.write(f"{between if written else before}{text}".encode())
            written += 1
        stream.write((after if written else "[]\n" if as_list else "").encode())
    return written
