"""How constructed preferences leave a run: one file in a format that trainers read, written in a stream."""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.data.formats.preference_rows import PREFERENCE_ROWS
from dt2it_ray.data.formats.training_rows import ImageNames
from dt2it_ray.data.preferences import PREFERENCES
from dt2it_ray.errors import ConfigError
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest
from dt2it_ray.store.parts import DROPPED

SUFFIXES = {".json", ".jsonl", ".parquet"}


def check_output(output: str) -> None:
    """Raises ConfigError unless the output's name says what kind of file it shall be."""
    if PurePosixPath(output).suffix not in SUFFIXES:
        raise ConfigError(f"output={output}: its name must end in one of {', '.join(sorted(SUFFIXES))}")


def write_preferences(run: Folder, made: Manifest, output: str, to: str) -> int:
    """Write all preferences of a finished step as one file; returns how many. Those that the format cannot hold, as
    LLaMA-Factory cannot a text with its image placeholder, are left out of the file; they stay in the run.

    Parquet keeps the columns of PREFERENCES; `.json` is a list and `.jsonl` one row per line of the format `to`. Images
    that have no file of their own are written to a folder beside the output.

    Raises:
        StoreError: the output cannot be written.
    """
    path = PurePosixPath(output)
    folder = Folder(str(path.parent))
    tables = (made.data(run).read_table(file.name) for file in made.files)
    if path.suffix == ".parquet":
        return _write_parquet(tables, folder, path.name)
    names = ImageNames(folder, f"{path.stem}_images")
    rows = (
        PREFERENCE_ROWS[to](row, [names.name_of(image) for image in row["images"]])
        for table in tables
        for row in table.to_pylist()
    )
    return _write_json((row for row in rows if row is not None), folder, path.name, as_list=path.suffix == ".json")


def write_dropped(run: Folder, manifests: Mapping[str, Manifest], output: str) -> int:
    """Write every row that a step of the run refused, one line of JSON each, with its step; returns how many."""
    path = PurePosixPath(output)
    refused = (
        {"step": name, **row}
        for name, manifest in manifests.items()
        for file in manifest.dropped
        for row in manifest.data(run).read_table(file.name).to_pylist()
    )
    return _write_json(refused, Folder(str(path.parent)), f"{path.name}.{DROPPED}.jsonl", as_list=False)


def _write_parquet(tables: Iterator[pa.Table], folder: Folder, name: str) -> int:
    written = 0
    with folder.replacing(name) as stream, pq.ParquetWriter(stream, PREFERENCES, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
            written += table.num_rows
    return written


def _write_json(rows: Iterator[Mapping[str, Any]], folder: Folder, name: str, as_list: bool) -> int:
    before, between, after = ("[\n", ",\n", "\n]\n") if as_list else ("", "\n", "\n")
    written = 0
    with folder.replacing(name) as stream:
        for row in rows:
            text = json.dumps(row, ensure_ascii=False)
            stream.write(f"{between if written else before}{text}".encode())
            written += 1
        stream.write((after if written else "[]\n" if as_list else "").encode())
    return written
