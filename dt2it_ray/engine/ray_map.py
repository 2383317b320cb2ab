"""How map stages run on Ray Data: slices in, receipts out, in a pool of actors that may grow and shrink."""

import gc
import json
import logging
import threading
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
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
        ("reasons", pa.string()),
    ]
)
DEATHS_OF_A_TASK = 3
"""How often slices are tried again whose actor died, before the step fails."""
SLICES_AT_ONCE = 3
"""Slices that each actor has: while the rows of one are in the model, others are read, stored, or on their way from
the driver. More would lie with one actor while another has nothing left."""
MOST_TASKS = 1024
"""Slices go to actors one by one, or in as many runs of several: the driver keeps about 8 KiB for each."""


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
    # A stream of blocks that nobody holds any more ends them in peace; its parts hold each other.
    bundles = slices.iter_internal_ref_bundles()
    try:
        for bundle in bundles:
            for block in ray.get([entry.ref for entry in bundle.blocks]):
                yield from map(_as_receipt, block.to_pylist())
    finally:
        del bundles
        gc.collect()


def _slices(work: MapWork, todo: Todo, placement: Placement) -> Any:
    # That progress is not shown by Ray, and that a step has fewer slices than actors, is no reason to warn.
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="The minimum number of concurrent actors", module="ray")
    # Ray 2.60 has no other way to say how often a task is tried again.
    warnings.filterwarnings("ignore", message="`ray_remote_args_fn` is deprecated")
    context = DataContext.get_current()
    context.enable_progress_bars = False
    # Waiting for an autoscaled or spot node is no lack of progress.
    context.execution_options.verbose_progress = False
    fewest, most = placement.workers, max(placement.workers, placement.max_workers)
    pool = ActorPoolStrategy(
        min_size=fewest,
        initial_size=min(most, max(fewest, placement.initial_workers)),
        max_size=most,
        max_tasks_in_flight_per_actor=SLICES_AT_ONCE,
        max_concurrent_calls_per_actor=SLICES_AT_ONCE,
        enable_true_multi_threading=True,
    )
    # Actors read their slices themselves: tasks that read ahead need processes of their own, which took the cores from
    # the actors (45 of them for 4 actors on 2 cores), and carry every image through the object store.
    # `from_arrow` would start a task for each block: 15 s and 180 MiB of the driver for a million rows.
    return ray.data.from_blocks(plan_of(todo)).map_batches(
        _Worker,
        fn_constructor_kwargs={"work": work},
        batch_size=1,
        batch_format="pyarrow",
        compute=pool,
        num_cpus=placement.cpus if not placement.gpus else None,
        num_gpus=placement.gpus or None,
        # Ray starts a dead actor again without end, and would for ever if it is a batch that kills it.
        ray_remote_args_fn=lambda: {"max_task_retries": DEATHS_OF_A_TASK},
    )


def plan_of(todo: Todo) -> list[pa.Table]:
    """What is sent to actors: one row per slice, in blocks, each of which is the work and the retry of one task. An
    empty slice still gives a receipt; Ray Data would merge or lose plain blocks of rows."""
    slices = [(part, index) for part, num_rows in todo.items() for index in slices_of(num_rows)]
    stride = -(-len(slices) // MOST_TASKS)
    runs = [slices[start : start + stride] for start in range(0, len(slices), stride)]
    return [pa.table({"part": [part for part, _ in run], "slice_index": [index for _, index in run]}) for run in runs]


class _Worker:
    """An actor of the pool: holds what the stage built (a model), answers slices with receipts, several at once."""

    def __init__(self, work: MapWork) -> None:
        self._work = work
        self._function: BatchFn | None = None
        self._trouble = ""
        try:
            self._function = build_function(work)
        except Dt2itError as error:
            # Raised here, it would have Ray start the actor again and again.
            self._trouble = str(error)
        else:
            # Ray Data 2.60 has no other hook: an actor that ends in peace lets go of its callable, then of everything.
            weakref.finalize(self, close_function, work, self._function)
        self._calls = threading.Semaphore(getattr(self._function, "calls_at_once", 1))

    def __call__(self, plan: pa.Table) -> pa.Table:
        [(part, index)] = zip(plan["part"].to_pylist(), plan["slice_index"].to_pylist(), strict=True)
        if self._trouble:
            return _as_row(Receipt(part, index, 0, 0, self._trouble))
        try:
            rows, skipped = read_slice(self._work, part, index)
        except Dt2itError as error:
            return _as_row(Receipt(part, index, 0, 0, str(error)))
        assert self._function is not None
        receipt = run_slice(self._work, self._function, part, index, rows, skipped, self._turn)
        self._trouble = self._trouble or receipt.failure
        return _as_row(receipt)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._calls:
            if self._trouble:
                # The step fails: what still waits here is not worth its time, or its price.
                raise StageFailed(self._trouble)
            try:
                yield
            except Dt2itError as error:
                # Before the next in turn is let in.
                self._trouble = str(error)
                raise


def _as_row(receipt: Receipt) -> pa.Table:
    row = {**asdict(receipt), "metrics": json.dumps(receipt.metrics), "reasons": json.dumps(receipt.reasons)}
    return pa.Table.from_pylist([row], schema=RECEIPTS)


def _as_receipt(row: dict[str, Any]) -> Receipt:
    return Receipt(**{**row, "metrics": json.loads(row["metrics"]), "reasons": json.loads(row["reasons"])})


@ray.remote(num_cpus=0, max_retries=3)
def _seal(work: MapWork, part: str, receipts: list[Receipt], num_rows: int) -> Seal:
    return seal_part(work.output, part, receipts, num_rows, work.stage.writes.names[0])
