"""Which ingested rows are not to go on, because they repeat others or stand in a benchmark."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from dt2it_ray.data.formats.benchmark import Images, OpenImages
from dt2it_ray.data.formats.benchmark_rows import PlacedRow, read_rows, row_files
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.pair_benchmarks import benchmark_format
from dt2it_ray.data.images import BadImage, decode
from dt2it_ray.data.ingested import BENCHMARK_KEYS, REFUSED_ROWS, ROW_KEYS
from dt2it_ray.data.schema import DropReason
from dt2it_ray.rules.contamination import find_contaminated
from dt2it_ray.rules.duplicates import find_repeats
from dt2it_ray.rules.perceptual_hash import perceptual_hash
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ingest_rows import image_key, place_of, question_keys, question_text
from dt2it_ray.stages.ingest_settings import DecontaminationSettings, DuplicateSettings, SignatureSettings
from dt2it_ray.stages.stage import GatherStage, LoadStage, Outcome
from dt2it_ray.store.files import Folder

BENCHMARKS = "benchmarks"
"""Under which names a gather reads the keys of benchmarks."""
BENCHMARK_ROWS_AT_ONCE = 64


class BenchmarkSource(Settings):
    """The files of a benchmark, by their content: moving them changes nothing."""

    folder: str = Field(exclude=True)
    name: str
    """See `format_of`."""
    sha256: str
    signature: SignatureSettings | None


class RepeatSettings(Settings):
    """What repeats, and what stands in a benchmark."""

    duplicates: DuplicateSettings = DuplicateSettings()
    decontaminate: DecontaminationSettings = DecontaminationSettings()


def format_of(benchmark: str) -> str:
    """The format of a benchmark's files; a name that tells it from others of that format stands behind."""
    return benchmark.partition("@")[0]


def load_benchmark_keys(folders: Mapping[str, Folder], settings: BenchmarkSource) -> Iterator[Outcome]:
    """The keys of a benchmark's rows. Of one that an evaluation cannot use, its images have some, if it has any.

    Raises:
        InputError: its files are not there or cannot be read.
    """
    form, folder = benchmark_format(format_of(settings.name)), Folder(settings.folder)
    open_images = form.images(folder)
    read = read_rows(form, folder, row_files(form, folder), images=True)
    counts: Counter[str] = Counter()
    while placed := list(itertools.islice(read, BENCHMARK_ROWS_AT_ONCE)):
        keys = [_keys(row, open_images, settings, counts) for row in placed]
        yield Outcome(pa.Table.from_pylist([key for key in keys if key], schema=BENCHMARK_KEYS), metrics=dict(counts))


def _keys(
    placed: PlacedRow, open_images: OpenImages, settings: BenchmarkSource, counts: Counter[str]
) -> dict[str, Any] | None:
    counts["rows"] += 1
    if not isinstance(placed.record.fields, Mapping):
        counts["rows_refused"] += 1
        return None
    images = _opened(placed, open_images, counts)
    asked = _asked(placed, settings)
    if not asked:
        counts["rows_refused"] += 1
        if not images:
            return None
    return {
        "key": place_of(placed.record),
        "benchmark": settings.name,
        **asked,
        "image_keys": [image_key(image) for image in images],
        "looks": [_look(image["bytes"]) for image in images],
    }


def _asked(placed: PlacedRow, settings: BenchmarkSource) -> dict[str, Any]:
    """The keys of the question; none if the row's pair cannot be read."""
    if isinstance(placed.pair, RowRefused):
        return {}
    asked = question_text(placed.pair.question, [turn._asdict() for turn in placed.pair.history])
    return question_keys(asked, settings.signature)


def _opened(placed: PlacedRow, open_images: OpenImages, counts: Counter[str]) -> Images:
    try:
        return open_images(placed.record.fields)
    except RowRefused:
        # Some formats find the images of a row only where they can read all of it.
        if not isinstance(placed.pair, RowRefused):
            counts["images_missing"] += 1
        return ()


def _look(content: bytes | None) -> int | None:
    if not content:
        return None
    try:
        return perceptual_hash(decode(content))
    except BadImage:
        return None


def refuse_repeats(tables: Mapping[str, pa.Table], settings: RepeatSettings) -> Outcome:
    """The rows that go no further, each with one reason: what stands in a benchmark, then what repeats the rest."""
    rows = tables["rows"]
    benchmarks = {name.removeprefix(f"{BENCHMARKS}/"): table for name, table in tables.items() if name != "rows"}
    clean, duplicates = settings.decontaminate, settings.duplicates
    contained = find_contaminated(rows, benchmarks, clean.match, clean.near.nearness())
    found = [contained]
    if duplicates.within != "none":
        left = rows.filter(pc.invert(pc.is_in(rows["row_id"], value_set=contained["row_id"].combine_chunks())))
        near = duplicates.near.nearness()
        found.append(find_repeats(left, duplicates.within, duplicates.contradictions, near))
    refused = pa.concat_tables(found)
    return Outcome(refused, metrics=_counts(rows.num_rows, refused, benchmarks))


def _counts(rows: int, refused: pa.Table, benchmarks: Mapping[str, pa.Table]) -> dict[str, Any]:
    contained = refused.filter(pc.equal(refused["reason"], str(DropReason.IN_BENCHMARK)))
    places = Counter(detail.rpartition(" ")[2] for detail in contained["detail"].to_pylist())
    return {
        "rows": rows,
        "reasons": dict(sorted(Counter(refused["reason"].to_pylist()).items())),
        "in_benchmarks": {name: places.get(name, 0) for name in sorted(benchmarks)},
    }


REFUSE_REPEATS = GatherStage(
    name="repeats",
    version=1,
    reads={"rows": ROW_KEYS, f"{BENCHMARKS}/*": BENCHMARK_KEYS},
    writes=REFUSED_ROWS,
    decide=refuse_repeats,
)
LOAD_BENCHMARK_KEYS = LoadStage(name="benchmark_keys", version=2, writes=BENCHMARK_KEYS, load=load_benchmark_keys)
