"""How constructed preferences leave a run: one file in a format that trainers read, written in a stream."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dt2it_ray.data.formats.fields import extension_of
from dt2it_ray.data.formats.preference_rows import PREFERENCE_ROWS
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
    """Write all preferences of a finished step as one file; returns how many.

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
    beside = _ImagesBeside(folder, f"{path.stem}_images")
    rows = (
        PREFERENCE_ROWS[to](row, [beside.name_of(image) for image in row["images"]])
        for table in tables
        for row in table.to_pylist()
    )
    return _write_json(rows, folder, path.name, as_list=path.suffix == ".json")


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


class _ImagesBeside:
    """Gives every image a name: that of its file, or of one that is written now, by its content."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder, self._name = folder, name
        self._written: set[str] = set()

    def name_of(self, image: Mapping[str, Any]) -> str:
        if image["path"]:
            return image["path"]
        digest = hashlib.sha256(image["bytes"]).hexdigest()[:32]
        name = f"{self._name}/{digest}.{extension_of(image['bytes'], self._name)}"
        if name not in self._written:
            self._folder.write(name, image["bytes"])
            self._written.add(name)
        return name


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
