"""Which steps make preferences of the files of an outside data set, and prompts of those."""

import hashlib
from pathlib import PurePosixPath

from dt2it_ray.data.formats.pair_benchmarks import benchmark_format
from dt2it_ray.data.formats.sources import find_source
from dt2it_ray.errors import ConfigError
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ingest import LOAD_OUTSIDE, OutsideRows, find_format
from dt2it_ray.stages.ingest_images import OPEN_INGESTED, OpenSettings
from dt2it_ray.stages.ingest_repeats import (
    BENCHMARKS,
    LOAD_BENCHMARK_KEYS,
    REFUSE_REPEATS,
    BenchmarkSource,
    RepeatSettings,
    format_of,
)
from dt2it_ray.stages.ingest_settings import IngestSettings
from dt2it_ray.stages.ingested import KEEP_ROWS
from dt2it_ray.stages.stage import NoSettings, Step
from dt2it_ray.stages.world import AddStep
from dt2it_ray.store.files import Folder

BLOCK_BYTES = 1 << 20
LAST = "ingested"
"""The step whose rows are the data set."""


class OutsideFiles(Settings):
    """Where an outside data set is."""

    input: str
    """File of rows, pattern of such names, folder, or archive; on a disk or in object storage (docs/formats.md)."""
    image_root: str = ""
    """Folder or archive that paths of images are relative to. Empty: the folder of the input."""
    source: str = ""
    """The data set's name in rows that do not tell theirs. Empty: the name of the input without its ending."""


def plan_ingest(add: AddStep, files: OutsideFiles, settings: IngestSettings, workers: int, under: str = "") -> Step:
    """Add the steps from an outside data set to INGESTED rows; `under` stands before their names.

    Raises:
        ConfigError: there is no such format or benchmark. InputError: there is no such file.
    """
    find_format(settings.format, settings.mapping)
    source = find_source(files.input, Folder)
    signature = settings.signature if settings.compares_questions() else None
    read = OutsideRows(
        address=files.input,
        workers=workers,
        files=source.hashes(),
        source=files.source or name_of(files.input),
        format=settings.format,
        mapping=settings.mapping,
        limits=settings.limits,
        signature=signature,
    )
    rows = add(f"{under}load", LOAD_OUTSIDE, read, {})
    if settings.images != "ignore":
        root = files.image_root or source.folder.path("")
        embed = settings.images == "embed"
        opening = OpenSettings(root=root, embed=embed, limits=settings.image_limits, frames=settings.frames)
        rows = add(f"{under}images", OPEN_INGESTED, opening, {"rows": rows})
    compared = {"rows": rows}
    for name, folder in sorted(settings.decontaminate.benchmarks.items()):
        benchmark_format(format_of(name))
        files_of = BenchmarkSource(folder=folder, name=name, sha256=_content(folder), signature=signature)
        compared[f"{BENCHMARKS}/{name}"] = add(f"{under}{BENCHMARKS}/{name}", LOAD_BENCHMARK_KEYS, files_of, {})
    without = settings.decontaminate.model_copy(update={"benchmarks": {}})
    repeats = RepeatSettings(duplicates=settings.duplicates, decontaminate=without)
    refused = add(f"{under}repeats", REFUSE_REPEATS, repeats, compared)
    return add(f"{under}{LAST}", KEEP_ROWS, NoSettings(), {"rows": rows, "repeats": refused})


def _content(folder: str) -> str:
    """A name of all files of a benchmark and what is in them."""
    opened, digest = Folder(folder), hashlib.sha256()
    names = opened.names(recursive=True)
    if not names:
        raise ConfigError(f"decontaminate.benchmarks: there are no files in {opened.path('')}")
    for name in names:
        digest.update(f"{name}\n".encode())
        with opened.stream(name) as stream:
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def name_of(address: str) -> str:
    """What a data set at an address is called: its last name without ending and pattern."""
    names = [part for part in PurePosixPath(address).parts if not any(wild in part for wild in "*?[")]
    return PurePosixPath(names[-1]).name.partition(".")[0] or "outside" if names else "outside"
