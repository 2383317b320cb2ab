"""How `dt2it inspect` looks at preferences, ingested or as they come, without changing anything."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.files import Files
from dt2it_ray.data.formats.image_refs import image_root as open_root
from dt2it_ray.data.formats.image_refs import open_image
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from dt2it_ray.data.formats.records import read_blocks, read_records
from dt2it_ray.data.formats.sources import find_source
from dt2it_ray.data.ingested import INGESTED
from dt2it_ray.errors import InputError
from dt2it_ray.pipeline.drive import read_json
from dt2it_ray.pipeline.export_run import find_preferences
from dt2it_ray.pipeline.ingest_plan import name_of
from dt2it_ray.pipeline.run_record import RUN_FILE, SUMMARY_FILE
from dt2it_ray.pipeline.trained_pairs import trained_preferences
from dt2it_ray.report.inspection import Inspection, Sample, build_inspection
from dt2it_ray.rules.preference_figures import TEXTS, PreferenceFigures
from dt2it_ray.stages.ingest import OutsideRows, read_block
from dt2it_ray.stages.ingest_settings import RowLimits
from dt2it_ray.store.files import Folder

PAGE = "inspect.html"
SAMPLES = 12
TRIED = 50
"""Records by which a format is recognised."""


@dataclass
class _Found:
    """Preferences to look at."""

    name: str
    form: str
    tables: Iterator[pa.Table]
    images: Files
    page: str
    """Where the page goes if nobody says."""
    refused: Counter[str] = field(default_factory=Counter)
    """Filled while the tables are read."""
    columns: Sequence[tuple[str, str]] = ()
    """Of outside rows; else those of the tables."""


def inspect_preferences(address: str, form: str, image_root: str, page: str) -> Iterator[str]:
    """Write the page, and tell the same in short.

    Raises:
        InputError: there are no preferences, or rows of no known format. StoreError: the page cannot be written.
    """
    found = _of_folder(Folder(address), image_root) or _of_files(address, form, image_root)
    figures, schema, samples = PreferenceFigures(), None, pa.table({})
    for table in found.tables:
        schema = table.schema
        figures.add(table)
        samples = pa.concat_tables([samples, table]) if samples.num_rows else table
        samples = samples.sort_by("pair_id").slice(0, SAMPLES)
    if schema is None or not figures.rows:
        told = f", {sum(found.refused.values()):,} refused: {dict(found.refused)}" if found.refused else ""
        raise InputError(f"{address} has no preferences, read as {found.form}{told}")
    shown = Inspection(
        name=found.name,
        form=found.form,
        columns=found.columns or [(column.name, str(column.type)) for column in schema],
        figures=figures.told(),
        lengths={name: figures.lengths(name) for name in TEXTS},
        strengths=figures.strengths(),
        refused=dict(sorted(found.refused.items())),
        samples=[Sample(row, _opened(row, found.images)) for row in samples.to_pylist()],
    )
    place, _, name = (page or found.page).rpartition("/")
    Folder(place or ".").write(name, build_inspection(shown).encode())
    yield from _told(shown)
    yield f"Page: {page or found.page}"


def _of_folder(folder: Folder, image_root: str) -> _Found | None:
    """What an ingestion or a construction left, or the pairs that the last model of the loop was trained on."""
    made, name = find_preferences(folder), folder.path("").rstrip("/").rpartition("/")[2]
    if made is None:
        if (trained := trained_preferences(folder, "")) is None:
            return None
        model, tables = trained
        root = open_root(image_root or folder.path(""), Folder)
        return _Found(name, f"pairs of {model}", tables, root, folder.path(PAGE))
    root = image_root or _root_of(read_json(folder, RUN_FILE).get("settings", {}).get("files", {})) or folder.path("")
    tables = (made.data(folder).read_table(file.name) for file in made.files)
    refused = Counter(read_json(folder, SUMMARY_FILE).get("dropped", {}))
    return _Found(name, made.stage, tables, open_root(root, Folder), folder.path(PAGE), refused)


def _root_of(files: Mapping[str, str]) -> str:
    """Where the images of an ingestion were; empty if its source is gone."""
    if files.get("image_root") or not files.get("input"):
        return files.get("image_root", "")
    try:
        return find_source(files["input"], Folder).folder.path("")
    except InputError:
        return ""


def _of_files(address: str, form: str, image_root: str) -> _Found:
    """Outside rows, of the format that is said or that they show."""
    source = find_source(address, Folder)
    records = itertools.islice(read_records(source.folder, source.names[0]), TRIED)
    first = [record.fields for record in records if isinstance(record.fields, Mapping)]
    settings = OutsideRows(
        address=address,
        files={},
        source=name_of(address),
        format=form or _shown_format(first, source.folder.path(source.names[0])),
        mapping=None,
        limits=RowLimits(),
        signature=None,
    )
    refused: Counter[str] = Counter()

    def tables() -> Iterator[pa.Table]:
        for block in itertools.chain.from_iterable(read_blocks(source.folder, name) for name in source.names):
            outcome = read_block(block, settings)
            refused.update(outcome.dropped["reason"].to_pylist())
            yield outcome.rows.select(INGESTED.names)

    root = open_root(image_root, Folder) if image_root else source.folder
    page = f"{settings.source}.{PAGE}"
    return _Found(settings.source, settings.format, tables(), root, page, refused, _columns(first))


def _columns(fields: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The columns of some records, with the kinds of values that they hold."""
    kinds: dict[str, set[str]] = {}
    for row in fields:
        for name, value in row.items():
            kinds.setdefault(name, set()).add(type(value).__name__)
    return [(name, " or ".join(sorted(found))) for name, found in kinds.items()]


def _shown_format(fields: Sequence[Mapping[str, Any]], where: str) -> str:
    """The format that reads most of the first records.

    Raises:
        InputError: none reads any.
    """
    read = {name: sum(_reads(each.parse, row) for row in fields) for name, each in PREFERENCE_FORMATS.items()}
    best = max(read, key=lambda name: read[name])
    if read[best]:
        return best
    columns = sorted(fields[0]) if fields else []
    raise InputError(
        f"{where}: no known format reads its rows, which have the columns {columns}. "
        "Ingest them with --format mapping (docs/formats.md)."
    )


def _reads(parse: Any, row: Mapping[str, Any]) -> bool:
    try:
        return bool(parse(row))
    except RowRefused:
        return False


def _opened(row: Mapping[str, Any], root: Files) -> list[bytes | None]:
    opened: list[bytes | None] = []
    for image in row["images"]:
        try:
            opened.append(open_image(image, root)["bytes"])
        except RowRefused:
            opened.append(None)
    return opened


def _told(shown: Inspection) -> Iterator[str]:
    figures = shown.figures
    yield f"{shown.name}: {figures['rows']:,} pairs ({shown.form})"
    for title in ("source", "language", "category", "images", "turns_before"):
        counts = figures[f"by_{title}"]
        told = ", ".join(f"{name or 'not told'} {number:,}" for name, number in list(counts.items())[:8])
        yield f"{title.replace('_', ' '):>13}: {told}"
    for name in TEXTS:
        spread = figures["characters"][name]
        yield f"{name:>13}: {spread['p50']:,.0f} characters (middle half {spread['p25']:,.0f} to {spread['p75']:,.0f})"
    yield f"chosen longer: {figures['chosen_longer']:.1%}"
    strength = figures["strength"]
    if strength["known"]:
        spread = f"{strength['p50']:.3g} ({strength['p5']:.3g} to {strength['p95']:.3g})"
        yield f"{'strength':>13}: {spread}, {strength['known']:,} known"
    if shown.refused:
        yield f"{'refused':>13}: " + ", ".join(f"{reason} {number:,}" for reason, number in shown.refused.items())
    yield f"{'columns':>13}: {', '.join(name for name, _ in shown.columns)}"
