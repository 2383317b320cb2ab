"""How map stages run on Ray Data: slices in, receipts out, in a pool of actors that may grow and shrink."""

import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import ray
import ray.exceptions
from ray.data import ActorPoolStrategy, DataContext

from dt2it_ray.engine.local import Todo, raise_failure, slices_of
from dt2it_ray.engine.part_work import MapWork, build_function, close_function, read_slice, run_slice
from dt2it_ray.errors import Dt2itError, StageFailed
from dt2it_ray.stages.stage import BatchFn, Placement
from dt2it_ray.store.parts import Receipt, Seal, seal_part

RECEIPTS = pa.schema(
    [
        ("part", pa.string()),
        ("slice_index", pa.int64()),
        ("rows_in", pa.int64()),
        ("skipped", pa.int64()),
        ("failure", pa.string()),
        ("metrics", pa.string()),
    ]
)
SLICES_IN_FLIGHT = 3
"""Slices queued at each actor, so that the edge of a slice never idles a GPU."""


def map_parts(work: MapWork, todo: Todo, placement: Placement) -> Iterator[Receipt | Seal]:
    """Run the stage on every slice of every part; yields a receipt per slice and a seal per part.

    Raises:
        StageFailed: a slice failed or Ray gave up; the parts sealed before stay.
    """
    try:
        yield from _map_parts(work, todo, placement)
    except ray.exceptions.RayError as error:
        # An error of ours that crossed a process boundary is wrapped, its traceback in its text.
        cause = getattr(error, "cause", None)
        if isinstance(cause, Dt2itError):
            raise type(cause)(*cause.args) from None
        lines = str(cause or error).strip().splitlines() or ["no message"]
        raise StageFailed(f"step {work.step}: {type(cause or error).__name__}: {lines[-1]}") from error


def _map_parts(work: MapWork, todo: Todo, placement: Placement) -> Iterator[Receipt | Seal]:
    waiting: dict[str, list[Receipt]] = {part: [] for part in todo}
    sealing: list[ray.ObjectRef] = []
    for receipt in _receipts(_slices(work, todo, placement)):
        raise_failure(receipt)
        yield receipt
        waiting[receipt.part].append(receipt)
        if len(waiting[receipt.part]) == len(slices_of(todo[receipt.part])):
            sealing.append(_seal.remote(work, receipt.part, waiting.pop(receipt.part), todo[receipt.part]))
        done, sealing = ray.wait(sealing, num_returns=len(sealing), timeout=0) if sealing else ([], sealing)
        yield from ray.get(done)
    yield from ray.get(sealing)
    if waiting:
        raise StageFailed(f"step {work.step}: no receipt came for {sorted(waiting)}; run again to make these parts")


def _receipts(slices: Any) -> Iterator[Receipt]:
    # `iter_rows` kills the actors when it is left before its end, as after a failed slice, so that no engine is closed.
    # A stream of blocks that nobody holds any more ends them in peace.
    bundles = slices.iter_internal_ref_bundles()
    try:
        for bundle in bundles:
            for block in ray.get([entry.ref for entry in bundle.blocks]):
                yield from (Receipt(**{**row, "metrics": json.loads(row["metrics"])}) for row in block.to_pylist())
    finally:
        del bundles


def _slices(work: MapWork, todo: Todo, placement: Placement) -> Any:
    # That progress is not shown by Ray, and that a step has fewer slices than actors, is no reason to warn.
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="The minimum number of concurrent actors", module="ray")
    context = DataContext.get_current()
    context.enable_progress_bars = False
    # Waiting for an autoscaled or spot node is no lack of progress.
    context.execution_options.verbose_progress = False
    # One row per slice, and one block per row: the slice is the unit of work and of retry, and an empty one still
    # gives a receipt. Ray Data would merge or lose plain blocks of rows.
    plan = [
        pa.table({"part": [part], "slice_index": [index]})
        for part, num_rows in todo.items()
        for index in slices_of(num_rows)
    ]
    fewest, most = placement.workers, max(placement.workers, placement.max_workers)
    pool = ActorPoolStrategy(
        min_size=fewest,
        initial_size=min(most, max(fewest, placement.initial_workers)),
        max_size=most,
        max_tasks_in_flight_per_actor=SLICES_IN_FLIGHT,
    )
    # Ray's annotations know functions of one argument only.
    read: Any = _read
    reading = ray.data.from_arrow(plan).map_batches(
        read, fn_kwargs={"work": work}, batch_size=1, batch_format="pyarrow", num_cpus=0
    )
    return reading.map_batches(
        _Worker,
        fn_constructor_kwargs={"work": work},
        batch_size=1,
        batch_format="pyarrow",
        compute=pool,
        num_cpus=placement.cpus if not placement.gpus else None,
        num_gpus=placement.gpus or None,
    )


def _read(plan: pa.Table, work: MapWork) -> pa.Table:
    """One row that holds a whole slice: its place, its rows as a list of structs, and any trouble in reading."""
    part, index = plan["part"][0].as_py(), plan["slice_index"][0].as_py()
    try:
        rows, skipped = read_slice(work, part, index)
        failure = ""
    except Dt2itError as error:
        rows, skipped, failure = work.stage.reads.empty_table(), 0, str(error)
    nested = pa.ListArray.from_arrays([0, rows.num_rows], rows.combine_chunks().to_struct_array().combine_chunks())
    return (
        plan.append_column("skipped", [[skipped]]).append_column("failure", [[failure]]).append_column("rows", nested)
    )


class _Worker:
    """An actor of the pool: holds what the stage built (a model), answers slices with receipts."""

    def __init__(self, work: MapWork) -> None:
        self._work = work
        self._function: BatchFn | None = None
        try:
            self._function = build_function(work)
        except Dt2itError as error:
            # Raised here, it would have Ray start the actor again and again.
            self._trouble = str(error)

    def __call__(self, batch: pa.Table) -> pa.Table:
        slice_row = batch.select(["part", "slice_index", "skipped", "failure"]).to_pylist()[0]
        if self._function is None:
            slice_row["failure"] = self._trouble
        if self._function is None or slice_row["failure"]:
            return _as_row(Receipt(rows_in=0, **slice_row))
        flat = batch["rows"].combine_chunks().flatten()
        rows = pa.Table.from_struct_array(flat).cast(self._work.stage.reads)
        receipt = run_slice(
            self._work, self._function, slice_row["part"], slice_row["slice_index"], rows, slice_row["skipped"]
        )
        return _as_row(receipt)

    def __del__(self) -> None:
        # Ray Data 2.60 has no other hook: an actor that ends in peace deletes its callable before the process exits.
        if self._function is not None:
            close_function(self._work, self._function)


def _as_row(receipt: Receipt) -> pa.Table:
    row = {**asdict(receipt), "metrics": json.dumps(receipt.metrics)}
    return pa.Table.from_pylist([row], schema=RECEIPTS)


@ray.remote(num_cpus=0, max_retries=3)
def _seal(work: MapWork, part: str, receipts: list[Receipt], num_rows: int) -> Seal:
    return seal_part(work.output, part, receipts, num_rows, work.stage.writes.names[0])
