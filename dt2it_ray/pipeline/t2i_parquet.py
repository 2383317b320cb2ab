"""How a Parquet file of caption pairs is converted by whole columns; the rows are those that the row-wise way makes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from dt2it_ray.data.formats.t2i.choice import RowRefused
from dt2it_ray.data.formats.t2i.read import read_choices
from dt2it_ray.data.formats.t2i.shapes import SHAPES
from dt2it_ray.pipeline.t2i_batches import KEY_COLUMNS, SHOWN_COLUMNS, ranges_of, read_batches
from dt2it_ray.pipeline.t2i_columns import (
    WRITTEN,
    keys_of,
    mask_of,
    places_of,
    reformulate_columns,
    rows_writer,
    surely_sound,
)
from dt2it_ray.pipeline.t2i_passes import DATA_SET, Counts, T2iOptions, dropped_line
from dt2it_ray.pipeline.t2i_processes import run_each
from dt2it_ray.rules.position import draws_of, first_half

SHAPE = SHAPES["caption_pair"]


class RowsToDraw(NamedTuple):
    """What one process draws for."""

    source: str
    seed: int
    rows: range


class DrawnRows(NamedTuple):
    """Which of some rows are sound, and the draws of those."""

    sound: np.ndarray
    draws: bytes


def convert_columns(source: str, output: str, dropped: str, options: T2iOptions, workers: int) -> Counts:
    """Convert caption pairs of plain columns into Parquet; refused rows go to `dropped`.

    The file is read twice: all positions are drawn, by several processes, before the first pair is written.

    Raises:
        InputError: the file cannot be read. StageFailed: a process died.
    """
    drawn = run_each(_draw, [RowsToDraw(source, options.seed, rows) for rows in ranges_of(source, workers)])
    sound = np.concatenate([each.sound for each in drawn])
    first = first_half(b"".join(each.draws for each in drawn))
    counts = Counts(rows=len(sound), pairs=len(first), preferred_first=int(first.sum()))
    _write(source, output, sound, first)
    with open(dropped, "wb") as stream:
        if counts.rows > counts.pairs:
            stream.writelines(_refused(source, sound, counts))
    return counts


def _draw(job: RowsToDraw) -> DrawnRows:
    sound, draws = [], []
    for batch in read_batches(job.source, KEY_COLUMNS, job.rows):
        kept = surely_sound(batch)
        for place in np.flatnonzero(~kept):
            kept[place] = not isinstance(_refusal(batch, int(place)), RowRefused)
        sound.append(kept)
        draws.append(draws_of(keys_of(_only(batch, kept)), job.seed, DATA_SET))
    return DrawnRows(np.concatenate(sound), b"".join(draws))


def _refusal(batch: pa.RecordBatch, place: int) -> object:
    """What the row-wise way makes of one row."""
    return next(read_choices([(0, batch.slice(place, 1).to_pylist()[0])], SHAPE))[1]


def _only(batch: pa.RecordBatch, kept: np.ndarray) -> pa.RecordBatch:
    return batch if kept.all() else batch.filter(mask_of(kept))


def _write(source: str, output: str, sound: np.ndarray, first: np.ndarray) -> None:
    """Write the sound rows; one table is written while the next is made."""
    writing = None
    with rows_writer(output, WRITTEN) as writer, ThreadPoolExecutor(1) as pool:
        for table in _tables(source, sound, first):
            if writing:
                writing.result()
            writing = pool.submit(writer.write_table, table)
        if writing:
            writing.result()


def _tables(source: str, sound: np.ndarray, first: np.ndarray) -> Iterator[pa.Table]:
    """The rows to write, a batch at a time."""
    before, begin = 0, 0
    for batch in read_batches(source, SHOWN_COLUMNS):
        rows = _only(batch, sound[before : before + len(batch)])
        before += len(batch)
        yield reformulate_columns(rows, first[begin : begin + len(rows)])
        begin += len(rows)


def _refused(source: str, sound: np.ndarray, counts: Counts) -> Iterator[bytes]:
    """The lines of all refused rows, with every column that they have."""
    before = 0
    for batch in read_batches(source):
        places = np.flatnonzero(~sound[before : before + len(batch)])
        for place, fields in zip(places, batch.take(places_of(places)).to_pylist(), strict=True):
            (row,), refusal = next(read_choices([(before + int(place) + 1, fields)], SHAPE))
            assert isinstance(refusal, RowRefused)
            counts.dropped[refusal.reason] = counts.dropped.get(refusal.reason, 0) + 1
            yield dropped_line(row, refusal)
        before += len(batch)
