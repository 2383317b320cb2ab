"""How map stages run in this process: one slice after the other, with the same code that Ray workers run."""

from collections.abc import Iterator, Mapping, Sequence

from dt2it_ray.engine.part_work import MapWork, read_slice, run_slice
from dt2it_ray.errors import StageFailed
from dt2it_ray.store.parts import Receipt, Seal, seal_part

Todo = Mapping[str, int]
"""Parts to make and how many slices each has."""


def map_parts(work: MapWork, todo: Todo) -> Iterator[Receipt | Seal]:
    """Run the stage on every slice of every part; yields a receipt per slice and a seal per part.

    Raises:
        StageFailed: a slice failed; the parts sealed before stay.
    """
    function = work.stage.build(work.settings, work.workplace)
    for part, num_slices in todo.items():
        receipts: list[Receipt] = []
        for index in range(num_slices):
            rows, skipped = read_slice(work, part, index)
            receipts.append(run_slice(work, function, part, index, rows, skipped))
            raise_failure(receipts[-1])
            yield receipts[-1]
        yield seal_part(work.output, part, receipts, work.stage.writes.names[0])


def raise_failure(receipt: Receipt) -> None:
    """Raise what a worker could only report."""
    if receipt.failure:
        raise StageFailed(receipt.failure)


def slices_of(rows: int, rows_per_slice: int) -> Sequence[int]:
    """The slice numbers of a part of `rows` rows; an empty part has one empty slice."""
    return range(max(1, -(-rows // rows_per_slice)))
