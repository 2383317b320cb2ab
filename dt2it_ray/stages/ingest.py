"""How the files of an outside data set become checked preferences, many blocks of them at a time."""

import difflib
import functools
import gc
import os
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from dt2it_ray.data.dropped import dropped_table
from dt2it_ray.data.formats.block_pool import map_blocks
from dt2it_ray.data.formats.containers.archive import MEMBER
from dt2it_ray.data.formats.fields import RowRefused
from dt2it_ray.data.formats.preference import PreferenceFormat
from dt2it_ray.data.formats.preferences.mapping import ColumnMapping, mapped
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from dt2it_ray.data.formats.read_batch import Record, refused_row
from dt2it_ray.data.formats.records import Block, records_of
from dt2it_ray.data.formats.sources import Source, find_source
from dt2it_ray.data.ingested import KEYED
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import ConfigError, StageFailed
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ingest_rows import Keying, keyed_row, keyed_table, place_of
from dt2it_ray.stages.ingest_settings import RowLimits, SignatureSettings
from dt2it_ray.stages.stage import LoadStage, Outcome
from dt2it_ray.store.files import Folder

SMALL_BYTES = 16 << 20
"""Of a data set that is parsed sooner than processes for it have started."""


class OutsideRows(Settings):
    """Files of rows, by their content: moving them changes nothing."""

    address: str = Field(exclude=True)
    """A file, a glob, a folder or an archive, on a disk or in object storage."""
    workers: int = Field(default=0, exclude=True)
    """Processes that parse rows; 0: this one does."""
    files: dict[str, str]
    """The sha256 of each file. Names count, for they stand in the rows."""
    source: str
    format: str
    mapping: ColumnMapping | None
    limits: RowLimits
    signature: SignatureSettings | None


def load_outside(folders: Mapping[str, Folder], settings: OutsideRows) -> Iterator[Outcome]:
    """Rows of KEYED in the order of the files, and what was refused. Images are as the rows have them.

    Raises:
        InputError: a file cannot be read.
    """
    source = find_source(settings.address, Folder)
    workers = settings.workers if _bytes_of(source) > SMALL_BYTES else 0
    yield from map_blocks(functools.partial(read_block, settings=settings), source, workers)


def _bytes_of(source: Source) -> int:
    """The size of all files, archives whole."""
    total = 0
    for name in dict.fromkeys(name.partition(MEMBER)[0] for name in source.names):
        with source.folder.stream(name) as stream:
            total += stream.seek(0, os.SEEK_END)
    return total


def read_block(block: Block, settings: OutsideRows) -> Outcome:
    """What the records of a block say. Every record becomes rows or a refused row.

    Raises:
        StageFailed: the format's reader has a fault; the message names the row.
    """
    # Rows hold no cycles, and looking for some among so many new objects took a third of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        return _read_records(records_of(block), settings)
    finally:
        if was_on:
            gc.enable()


def _read_records(records: Iterator[Record], settings: OutsideRows) -> Outcome:
    how = Keying(settings.source, settings.limits, settings.signature)
    parse = find_format(settings.format, settings.mapping).parse
    rows: list[tuple[Any, ...]] = []
    dropped: list[dict[str, str]] = []
    for record in records:
        before = len(rows), len(dropped)
        try:
            if not isinstance(record.fields, Mapping):
                raise RowRefused(DropReason.FIELD_INVALID, "whole row", "not an object with fields")
            for place, preferred in enumerate(parse(record.fields)):
                _take(preferred, record, place, how, rows, dropped)
            if before == (len(rows), len(dropped)):
                raise RowRefused(DropReason.NO_PREFERENCE, "whole row", "its answers are equally good")
        except RowRefused as refusal:
            dropped.append(_refused(record, 0, refusal))
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            raise StageFailed(f"{record.file} row {record.number}, read as {settings.format}: {told}") from error
    return Outcome(keyed_table(rows), dropped_table(dropped))


def find_format(name: str, mapping: ColumnMapping | None) -> PreferenceFormat:
    """The format of that name, or the one that the mapping describes.

    Raises:
        ConfigError: there is none.
    """
    if mapping is not None:
        return mapped(mapping)
    if name not in PREFERENCE_FORMATS:
        near = difflib.get_close_matches(name, PREFERENCE_FORMATS, n=1, cutoff=0.0)[0]
        known = ", ".join(sorted(PREFERENCE_FORMATS))
        raise ConfigError(f"format={name}: did you mean {near}? Known are {known}; or `mapping`, with its settings")
    return PREFERENCE_FORMATS[name]


def _take(
    preferred: Any, record: Record, place: int, how: Keying, rows: list[tuple[Any, ...]], dropped: list[dict[str, str]]
) -> None:
    try:
        rows.append(keyed_row(preferred, record, place, how))
    except RowRefused as refusal:
        dropped.append(_refused(record, place, refusal))


def _refused(record: Record, place: int, refusal: RowRefused) -> dict[str, str]:
    told = {"key": place_of(record, place), "detail": f"{refusal.where}: {refusal.problem}"}
    return refused_row(record, refusal) | told


LOAD_OUTSIDE = LoadStage(name="load_outside", version=2, writes=KEYED, load=load_outside)
