"""How map stages run in this process: one slice after the other, with the same code that Ray workers run."""

from collections.abc import Iterator, Mapping, Sequence

from dt2it_ray.engine.part_work import MapWork, build_function, close_function, read_slice, run_slice
from dt2it_ray.errors import StageFailed
from dt2it_ray.stages.stage import BatchFn
from dt2it_ray.store.files import ROWS_PER_SLICE
from dt2it_ray.store.parts import Receipt, Seal, seal_part

Todo = Mapping[str, int]
"""Parts to make and how many rows each has in the input."""


def map_parts(work: MapWork, todo: Todo) -> Iterator[Receipt | Seal]:
    """Run the stage on every slice of every part; yields a receipt per slice and a seal per part.

    Raises:
        StageFailed: a slice failed; the parts sealed before stay.
    """
    function = build_function(work)
    try:
        for part, num_rows in todo.items():
            yield from _map_part(work, function, part, num_rows)
    finally:
        close_function(work, function)


def _map_part(work: MapWork, function: BatchFn, part: str, num_rows: int) -> Iterator[Receipt | Seal]:
    receipts: list[Receipt] = []
    for index in slices_of(num_rows):
        rows, skipped = read_slice(work, part, index)
        receipts.append(run_slice(work, function, part, index, rows, skipped))
        raise_failure(receipts[-1])
        yield receipts[-1]
    yield seal_part(work.output, part, receipts, num_rows, work.stage.writes.names[0])


def raise_failure(receipt: Receipt) -> None:
    """Raise what a worker could only report."""
    if receipt.failure:
        raise StageFailed(receipt.failure)


def slices_of(rows: int) -> Sequence[int]:
    """The slice numbers of a part of `rows` rows; an empty part has one empty slice."""
    return range(max(1, -(-rows // ROWS_PER_SLICE)))
