"""How a Parquet file of caption pairs is converted by whole columns; the rows are those that the row-wise way makes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from dt2it_ray.data.formats.t2i.choice import RowRefused
from dt2it_ray.data.formats.t2i.read import read_choices
from dt2it_ray.data.formats.t2i.shapes import SHAPES
from dt2it_ray.pipeline.t2i_columns import (
    COLUMNS,
    keys_of,
    mask_of,
    places_of,
    read_batches,
    reformulate_columns,
    row_schema,
    rows_writer,
    surely_sound,
)
from dt2it_ray.pipeline.t2i_passes import DATA_SET, Counts, T2iOptions, dropped_line
from dt2it_ray.rules.position import drawer, first_half

SHAPE = SHAPES["caption_pair"]


def convert_columns(source: str, output: str, dropped: str, options: T2iOptions) -> Counts:
    """Convert caption pairs of plain columns into Parquet; refused rows go to `dropped`."""
    sound, draws = _draw(source, options.seed)
    first = first_half(draws)
    counts = Counts(rows=sum(map(len, sound)), pairs=len(first), preferred_first=int(first.sum()))
    _write(source, output, sound, first)
    with open(dropped, "wb") as stream:
        if counts.rows > counts.pairs:
            for line in _refused(source, sound, counts):
                stream.write(line)
    return counts


def _draw(source: str, seed: int) -> tuple[list[np.ndarray], bytes]:
    """Which rows of every batch are sound, and the draws of those."""
    draw = drawer(seed, DATA_SET)
    sound, draws = [], []
    for batch in read_batches(source, COLUMNS):
        kept = surely_sound(batch)
        for place in np.flatnonzero(~kept):
            kept[place] = not isinstance(_refusal(batch, int(place)), RowRefused)
        sound.append(kept)
        draws.append(b"".join(map(draw, keys_of(_only(batch, kept)))))
    return sound, b"".join(draws)


def _refusal(batch: pa.RecordBatch, place: int) -> object:
    """What the row-wise way makes of one row."""
    return next(read_choices([(0, batch.slice(place, 1).to_pylist()[0])], SHAPE))[1]


def _only(batch: pa.RecordBatch, kept: np.ndarray) -> pa.RecordBatch:
    return batch if kept.all() else batch.filter(mask_of(kept))


def _write(source: str, output: str, sound: list[np.ndarray], first: np.ndarray) -> None:
    """Write the sound rows; one table is written while the next is made."""
    shown = [column for column in COLUMNS if column != "rejected"]
    begin, writing = 0, None
    with rows_writer(output, row_schema(held=False)) as writer, ThreadPoolExecutor(1) as pool:
        for batch, kept in zip(read_batches(source, shown), sound, strict=True):
            rows = _only(batch, kept)
            table = reformulate_columns(rows, first[begin : begin + rows.num_rows])
            begin += rows.num_rows
            if writing:
                writing.result()
            writing = pool.submit(writer.write_table, table)
        if writing:
            writing.result()


def _refused(source: str, sound: list[np.ndarray], counts: Counts) -> Iterator[bytes]:
    """The lines of all refused rows, with every column that they have."""
    before = 0
    for batch, kept in zip(read_batches(source), sound, strict=True):
        places = np.flatnonzero(~kept)
        for place, fields in zip(places, batch.take(places_of(places)).to_pylist(), strict=True):
            (row,), refusal = next(read_choices([(before + int(place) + 1, fields)], SHAPE))
            assert isinstance(refusal, RowRefused)
            counts.dropped[refusal.reason] = counts.dropped.get(refusal.reason, 0) + 1
            yield dropped_line(row, refusal)
        before += len(kept)
