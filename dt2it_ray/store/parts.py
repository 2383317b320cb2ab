"""How a step's rows become files: pieces while it runs, sealed parts when no row of an input part is missing."""

import collections
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.errors import StageFailed
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Counts, PartFile

DROPPED = "dropped"
"""Folder, inside a step's data folder, of the rows that were refused, with reasons."""


@dataclass(frozen=True)
class Receipt:
    """What a worker reports of one slice of an input part, in place of the rows themselves."""

    part: str
    slice_index: int
    rows_in: int
    skipped: int
    failure: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Sums over its batches."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """How many of its rows were dropped, by reason."""


@dataclass(frozen=True)
class Seal:
    """Proof that one part is complete; a part without a seal is made again."""

    part: str
    rows_in: int
    rows_out: int
    dropped: int
    skipped: int
    sha256: str
    reasons: Mapping[str, int] = field(default_factory=dict)
    dropped_sha256: str = ""
    """Of the file of dropped rows; empty if there are none."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Sums over its slices, so that a run that is resumed knows them too."""

    def file(self) -> PartFile:
        """The manifest's entry for this part."""
        return PartFile(self.part, self.rows_out, self.sha256)

    def dropped_file(self) -> PartFile | None:
        """The manifest's entry for the dropped rows of this part, if there are any."""
        return PartFile(f"{DROPPED}/{self.part}", self.dropped, self.dropped_sha256) if self.dropped else None


def part_name(index: int) -> str:
    """The file name of a part."""
    return f"{index:05d}.parquet"


def write_piece(data: Folder, receipt: Receipt, rows: pa.Table, dropped: pa.Table) -> None:
    """Store the result of one slice. A retried slice overwrites its own piece."""
    folder = data.child(f"pieces/{receipt.part}")
    folder.write_table(f"{receipt.slice_index:05d}.parquet", rows)
    folder.write_table(f"{receipt.slice_index:05d}.dropped.parquet", dropped)


def seal_part(data: Folder, part: str, receipts: Sequence[Receipt], num_rows: int, key: str) -> Seal:
    """Merge the pieces of a part into one file sorted by `key`, and prove that no row was lost or doubled.

    Raises:
        StageFailed: the slices are not the `num_rows` rows that the part has in the input, or two rows have one key.
    """
    seen = sum(receipt.rows_in + receipt.skipped for receipt in receipts)
    if seen != num_rows:
        raise StageFailed(f"{data.path(part)}: its slices had {seen} rows, its input has {num_rows}; run again")
    pieces = data.child(f"pieces/{part}")
    order = sorted(receipts, key=lambda receipt: receipt.slice_index)
    rows = pa.concat_tables([pieces.read_table(f"{receipt.slice_index:05d}.parquet") for receipt in order])
    dropped = pa.concat_tables([pieces.read_table(f"{receipt.slice_index:05d}.dropped.parquet") for receipt in order])
    rows_in, skipped = sum(receipt.rows_in for receipt in order), sum(receipt.skipped for receipt in order)
    metrics = sum_metrics([receipt.metrics for receipt in order])
    seal = seal_rows(data, part, rows, dropped, key, rows_in, skipped, metrics)
    data.delete(f"pieces/{part}")
    return seal


def seal_rows(
    data: Folder,
    part: str,
    rows: pa.Table,
    dropped: pa.Table,
    key: str,
    rows_in: int,
    skipped: int,
    metrics: Mapping[str, float] | None = None,
) -> Seal:
    """Write a part from rows in memory, then its seal."""
    rows = sort_rows(rows, key)
    refuse_duplicates(rows[key], key, data.path(part))
    # A part may be made again. Whenever this is killed, no seal speaks of files that are not those it was made for.
    data.delete(_seal_name(part))
    sha256, dropped_sha256 = data.write_table(part, rows), ""
    if dropped.num_rows:
        ordered = dropped.sort_by([("key", "ascending"), ("reason", "ascending")])
        dropped_sha256 = data.write_table(f"{DROPPED}/{part}", ordered)
    else:
        data.delete(f"{DROPPED}/{part}")
    seal = Seal(
        part=part,
        rows_in=rows_in,
        rows_out=rows.num_rows,
        dropped=dropped.num_rows,
        skipped=skipped,
        sha256=sha256,
        dropped_sha256=dropped_sha256,
        reasons=count_reasons(dropped),
        metrics=metrics or {},
    )
    data.write(_seal_name(part), json.dumps(asdict(seal)).encode())
    return seal


def sort_rows(rows: pa.Table, key: str) -> pa.Table:
    """The rows by their key. Those that stand so already, as most of a file do, are not copied."""
    keys = rows[key].combine_chunks()
    if pc.all(pc.less_equal(keys[:-1], keys[1:])).as_py() is not False:
        return rows
    return rows.sort_by([(key, "ascending")])


def count_reasons(dropped: pa.Table) -> dict[str, int]:
    """How many rows of a table of refused rows have each reason."""
    return dict(sorted(collections.Counter(dropped["reason"].to_pylist()).items()))


def sealed_parts(data: Folder) -> dict[str, Seal]:
    """The parts that are complete, by name. One whose seal does not parse, as after a power loss, is not."""
    seals = (_read_seal(data.read(name)) for name in data.names("seals") if name.endswith(".json"))
    return {seal.part: seal for seal in seals if seal is not None and data.exists(seal.part)}


def _seal_name(part: str) -> str:
    return f"seals/{part}.json"


def _read_seal(content: bytes) -> Seal | None:
    try:
        return Seal(**json.loads(content))
    except (ValueError, TypeError):
        return None


def total(seals: Sequence[Seal]) -> Counts:
    """The counts of a whole step."""
    reasons: collections.Counter[str] = collections.Counter()
    for seal in seals:
        reasons.update(seal.reasons)
    return Counts(
        rows_in=sum(seal.rows_in for seal in seals),
        rows_out=sum(seal.rows_out for seal in seals),
        dropped=sum(seal.dropped for seal in seals),
        skipped=sum(seal.skipped for seal in seals),
        reasons=dict(sorted(reasons.items())),
    )


def sum_metrics(told: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Sums by name, in the order of the names."""
    sums: dict[str, float] = {}
    for metrics in told:
        for name, amount in metrics.items():
            sums[name] = sums.get(name, 0) + amount
    return dict(sorted(sums.items()))


def refuse_duplicates(keys: pa.ChunkedArray, key: str, where: str) -> None:
    """Raises StageFailed if two of the sorted keys are equal."""
    if len(keys) < 2:
        return
    flat = keys.combine_chunks()
    same = pc.equal(flat.slice(1), flat.slice(0, len(flat) - 1))
    if pc.any(same).as_py():
        doubled = flat.slice(1).filter(same)[0].as_py()
        raise StageFailed(f"two rows of {where} have the key {key} = {doubled!r}; keys must be unique")
