"""What a worker does with one slice of rows, whichever engine runs it: read, join, call the stage, check, store."""

import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.dropped import dropped_table
from dt2it_ray.errors import Dt2itError, StageFailed
from dt2it_ray.settings import Settings
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.stage import BatchFn, MapStage, Outcome, Workplace
from dt2it_ray.store.files import Folder
from dt2it_ray.store.parts import Receipt, count_reasons, sum_metrics, write_piece


@dataclass(frozen=True)
class Beside:
    """A further input of a map stage, laid beside the rows by key; rows without a partner are skipped."""

    data: Folder
    files: tuple[str, ...]
    columns: tuple[str, ...]
    aligned: bool
    """Its parts were mapped from the same rows, so part i holds the partners of part i; else every part is read."""


@dataclass(frozen=True)
class MapWork:
    """All that a worker needs to run a map stage on any slice: small and picklable."""

    step: str
    stage: MapStage
    settings: Settings
    workplace: Workplace
    rows: Folder
    row_columns: tuple[str, ...]
    beside: tuple[Beside, ...]
    output: Folder
    batch_rows: int


def read_slice(work: MapWork, part: str, slice_index: int) -> tuple[pa.Table, int]:
    """The rows of one slice with the columns of every input, and how many rows found no partner."""
    key = work.stage.reads.names[0]
    rows = work.rows.read_table(part, list(work.row_columns), slice_index)
    rows_before = rows.num_rows
    for side in work.beside:
        files = (part,) if side.aligned else side.files
        rows = _lay_beside(rows, _read_side(side.data, files, (key, *side.columns)), key)
    return rows.select(work.stage.reads.names).cast(work.stage.reads), rows_before - rows.num_rows


def build_function(work: MapWork) -> BatchFn:
    """What the stage makes of its settings, once per worker: loads the model.

    Raises:
        StageFailed: it cannot be made; any other error than ours is a fault of the settings or the model's files.
    """
    try:
        return work.stage.build(work.settings, work.workplace)
    except Dt2itError:
        raise
    except Exception as error:
        raise StageFailed(f"step {work.step} cannot start: {type(error).__name__}: {error}") from error


def close_function(work: MapWork, function: BatchFn) -> None:
    """Have a function that will get no more batches release what it holds. A failure to do so is logged only: the rows
    are made, and the process frees the rest when it ends."""
    close = getattr(function, "close", None)
    if close is None:
        return
    try:
        close()
    except Exception:
        logging.getLogger(__name__).exception("step %s: its engine could not be closed", work.step)


def run_slice(
    work: MapWork,
    function: BatchFn,
    part: str,
    slice_index: int,
    rows: pa.Table,
    skipped: int,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Receipt:
    """Run the stage on a slice in batches, each within a `turn`, and store the piece. Trouble comes back inside the
    receipt."""
    receipt = Receipt(part, slice_index, rows.num_rows, skipped)
    try:
        outcomes = []
        for batch in _batches(rows, work.batch_rows):
            with turn():
                outcomes.append(call_stage(work, function, batch))
        written = pa.concat_tables([work.stage.writes.empty_table(), *(outcome.rows for outcome in outcomes)])
        dropped = pa.concat_tables([dropped_table(), *(outcome.dropped for outcome in outcomes)])
        metrics = sum_metrics(outcome.metrics for outcome in outcomes)
        write_piece(work.output, receipt, written, dropped)
    except Dt2itError as error:
        return dataclasses.replace(receipt, failure=str(error))
    return dataclasses.replace(receipt, metrics=metrics, reasons=count_reasons(dropped))


def call_stage(work: MapWork, function: BatchFn, batch: pa.Table) -> Outcome:
    """One call of a stage's function, with its promises checked.

    Raises:
        StageFailed: the function raised (the first row that makes it raise is named, or the batch if it has engines),
            wrote other columns than declared, lost a row, or told a metric that is no number.
    """
    try:
        outcome = function(batch)
    except Dt2itError:
        raise
    except Exception as error:
        raise StageFailed(f"step {work.step}: {_culprit(function, batch, error)}") from error
    if outcome.rows.schema.names != work.stage.writes.names:
        raise StageFailed(
            f"step {work.step} wrote the columns {outcome.rows.schema.names}; declared: {work.stage.writes.names}"
        )
    _check_nothing_lost(work, batch, outcome)
    _check_metrics(work, outcome)
    return Outcome(outcome.rows.cast(work.stage.writes), outcome.dropped, outcome.metrics)


def _check_nothing_lost(work: MapWork, batch: pa.Table, outcome: Outcome) -> None:
    parent = work.stage.per or work.stage.writes.names[0]
    came = set(batch[work.stage.reads.names[0]].to_pylist())
    went = set(outcome.rows[parent].to_pylist())
    refused = set(outcome.dropped["key"].to_pylist())
    lost, invented = came - went - refused, (went | refused) - came
    if lost or invented or went & refused:
        example = sorted(lost or invented or went & refused)[0]
        raise StageFailed(
            f"step {work.step}: of {len(came)} rows {len(lost)} were lost, {len(invented)} invented and "
            f"{len(went & refused)} both kept and dropped, e.g. {example!r}. Every row must be written or dropped."
        )


def _check_metrics(work: MapWork, outcome: Outcome) -> None:
    for name, amount in outcome.metrics.items():
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not math.isfinite(amount):
            raise StageFailed(
                f"step {work.step} told the metric {name} = {amount!r}. Those of a map stage are summed over its "
                "batches, so each must be a finite int or float; figures of all rows belong into a gather stage."
            )


def _culprit(function: BatchFn, batch: pa.Table, error: Exception) -> str:
    """The message for a failed batch: names the first single row on which the function raises too."""
    key = batch.schema.names[0]
    # An engine is not asked again, and paid again, for a row that is only to be named.
    for index in range(0 if isinstance(function, EngineFn) else batch.num_rows):
        try:
            function(batch.slice(index, 1))
        except Exception as single:  # noqa: BLE001 - searching for the row that raises
            return f"row {key}={batch[key][index].as_py()!r}: {type(single).__name__}: {single}"
    keys = batch[key].to_pylist()
    return f"a batch of {len(keys)} rows from {key}={keys[0]!r}: {type(error).__name__}: {error}"


def _batches(rows: pa.Table, batch_rows: int) -> Sequence[pa.Table]:
    return [rows.slice(start, batch_rows) for start in range(0, rows.num_rows, batch_rows)]


@functools.lru_cache(maxsize=8)
def _read_side(data: Folder, files: tuple[str, ...], columns: tuple[str, ...]) -> pa.Table:
    # Cached per process: all slices of a part share its aligned sides, and all parts share a narrow table.
    return pa.concat_tables([data.read_table(name, list(columns)) for name in files])


def _lay_beside(rows: pa.Table, side: pa.Table, key: str) -> pa.Table:
    mine = side.filter(pc.is_in(side[key], value_set=rows[key].combine_chunks())).combine_chunks()
    if pc.count_distinct(mine[key]).as_py() != mine.num_rows:
        raise StageFailed(f"an input that is laid beside the rows has several rows for one {key}; it must have one")
    place = pc.index_in(rows[key], value_set=mine[key].combine_chunks())
    found = pc.is_valid(place)
    rows, mine = rows.filter(found), mine.take(place.filter(found))
    for name in mine.schema.names:
        if name != key:
            rows = rows.append_column(mine.schema.field(name), mine[name])
    return rows
