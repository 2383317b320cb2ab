"""How the rows of a benchmark are loaded for an evaluation, and what is said of those that cannot be used."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.formats.benchmark import BenchmarkFormat, BenchmarkPair, id_of
from dt2it_ray.data.formats.benchmark_rows import PlacedRow, read_rows, row_files
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.pair_benchmarks import benchmark_format
from dt2it_ray.errors import ConfigError, InputError
from dt2it_ray.pipeline.named_files import parent_and_name
from dt2it_ray.rules.predictions import PlacedItem
from dt2it_ray.store.files import Folder

BLOCK_BYTES = 1 << 20
REFUSED_SHOWN = 20


@dataclass(frozen=True)
class LoadedBenchmark:
    """All rows of a benchmark in file order, refused ones at their places."""

    format: BenchmarkFormat
    folder: Folder
    files: Sequence[str]
    rows: Sequence[PlacedRow]
    image_folder: Files
    """What rows name images in."""

    @property
    def pairs(self) -> list[BenchmarkPair | None]:
        """What the rows say; None for one that is refused."""
        return [row.pair if isinstance(row.pair, BenchmarkPair) else None for row in self.rows]

    def items(self) -> list[PlacedItem]:
        """What predictions are laid beside."""
        pairs = zip(self.rows, self.pairs, strict=True)
        return [PlacedItem(row.where, self._item(row), _place(pair)) for row, pair in pairs]

    def told(self) -> dict[str, Any]:
        """Files with their hashes, how many rows, whether a release has as many, and the refused rows."""
        return {
            "files": [{"name": name, "sha256": _sha256(self.folder, name)} for name in self.files],
            "n": len(self.rows),
            "released_n": list(self.format.counts),
            "as_released": len(self.rows) in self.format.counts if self.format.counts else None,
            "refused": self._refused(),
        }

    def _item(self, row: PlacedRow) -> str | None:
        """The id of a row, of a refused one too where it has one."""
        if isinstance(row.pair, BenchmarkPair):
            return row.pair.item or None
        fields, name = row.record.fields, self.format.item_field
        try:
            return id_of(fields, name) if name and isinstance(fields, Mapping) else None
        except RowRefused:
            return None

    def _refused(self) -> dict[str, Any]:
        refused = [(row, row.pair) for row in self.rows if isinstance(row.pair, RowRefused)]
        return {
            "n": len(refused),
            "reasons": dict(sorted(Counter(str(refusal.reason) for _, refusal in refused).items())),
            "first": [f"{row.where}, {refusal.where}: {refusal.problem}" for row, refusal in refused[:REFUSED_SHOWN]],
        }


def load_benchmark(name: str, path: str, images: bool = False) -> LoadedBenchmark:
    """The rows of a benchmark from one file of them, or from the folder that has the released layout; with `images`,
    those that lie in the rows themselves are read too.

    Raises:
        ConfigError: no benchmark has this name, or no file. InputError: there are no rows, or a file cannot be read.
    """
    format = benchmark_format(name)
    folder, files = _found(format, path)
    rows = list(read_rows(format, folder, files, images))
    if not any(isinstance(row.pair, BenchmarkPair) for row in rows):
        first = next((row for row in rows), None)
        why = f"the first, {first.where}, {first.pair.where}: {first.pair.problem}" if first else "the file is empty"  # type: ignore[union-attr]
        raise InputError(f"{path} has no usable row of {name}: {why}. Is it this benchmark?")
    return LoadedBenchmark(format, folder, files, rows, _image_folder(format, folder, files))


def _found(format: BenchmarkFormat, path: str) -> tuple[Folder, list[str]]:
    parent, name = parent_and_name(path)
    if name in parent.names():
        return parent, [name]
    if not parent.exists(name):
        raise ConfigError(f"rows={path}: there is no such file or folder")
    return Folder(path), row_files(format, Folder(path))


def _image_folder(format: BenchmarkFormat, folder: Folder, files: Sequence[str]) -> Folder:
    """The folder that has the released layout, also where rows were given as one file inside it."""
    name = files[0]
    for pattern in format.files:
        for above in range(pattern.count("/") + 1):
            parents = folder.uri.rstrip("/").split("/")[-above:] if above else []
            if re.fullmatch(pattern, "/".join([*parents, name])):
                return Folder(folder.uri.rstrip("/").rsplit("/", above)[0]) if above else folder
    return folder


def _place(pair: BenchmarkPair | None) -> int:
    return (pair.chosen or 0) if pair else 0


def _sha256(folder: Folder, name: str) -> str:
    digest = hashlib.sha256()
    with folder.stream(name) as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
