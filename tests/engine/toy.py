"""Small stages for engine tests: numbers are indexed, doubled, and laid beside each other."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from dt2it_ray.data.dropped import Dropped, dropped_table
from dt2it_ray.data.schema import DropReason
from dt2it_ray.engine.telemetry import Reporter
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import GatherStage, MapStage, Outcome, Placement, Step, Workplace

NUMBERS = pa.schema([("id", pa.string()), ("n", pa.int64())])
DOUBLES = pa.schema([("id", pa.string()), ("double", pa.int64())])


class Count(Settings):
    """How many numbers, and in which order they are listed before they are sorted into parts."""

    n: int = 1000
    backwards: bool = False


class Doubling(Settings):
    """How numbers are doubled, and what goes wrong on purpose."""

    factor: int = 2
    drop_below: int = 0
    raise_at: int = -1
    die_at: int = -1
    died: str = ""
    dies_again: bool = False
    lose: bool = False
    unbuildable: bool = False


class Silent:
    """A reporter that only remembers the steps it heard of."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int, int]] = []

    def start(self, step: str, rows: int, done: int) -> None:
        self.started.append((step, rows, done))

    def advance(self, step: str, rows: int) -> None: ...

    def finish(self, step: str, line: str) -> None: ...


def list_numbers(tables: Mapping[str, pa.Table], settings: Count) -> Outcome:
    numbers = list(range(settings.n))
    numbers = numbers[::-1] if settings.backwards else numbers
    return Outcome(pa.table({"id": [f"{n:06d}" for n in numbers], "n": numbers}, schema=NUMBERS))


def build_doubling(settings: Doubling, place: Workplace):
    if settings.unbuildable:
        raise RuntimeError("the model is broken")

    def double(batch: pa.Table) -> Outcome:
        numbers = batch["n"].to_pylist()
        if settings.raise_at in numbers:
            raise ValueError(f"cannot stand {settings.raise_at}")
        if settings.die_at in numbers and (settings.dies_again or not Path(settings.died).exists()):
            with Path(settings.died).open("a") as told:
                told.write("died\n")
            os.kill(os.getpid(), signal.SIGKILL)
        low = [Dropped(DropReason.FIELD_INVALID, "too low").row(f"{n:06d}") for n in numbers if n < settings.drop_below]
        kept = batch.filter(pc.greater_equal(batch["n"], settings.drop_below)).slice(int(settings.lose))
        doubled = pc.multiply(kept["n"], settings.factor)
        return Outcome(pa.table({"id": kept["id"], "double": doubled}), dropped_table(low))

    return double


def build_sum(settings: Count, place: Workplace):
    return lambda batch: Outcome(pa.table({"id": batch["id"], "double": pc.add(batch["n"], batch["double"])}))


def build_remainders(settings: Count, place: Workplace):
    def remainders(batch: pa.Table) -> Outcome:
        keys = [f"{number % settings.n:06d}" for number in batch["n"].to_pylist()]
        return Outcome(pa.table({"id": keys, "parent": batch["id"]}))

    return remainders


INDEX = GatherStage(name="index", version=1, reads={}, writes=NUMBERS, decide=list_numbers)
DOUBLE = MapStage(name="double", version=1, reads=NUMBERS, writes=DOUBLES, build=build_doubling)
SUM = MapStage(
    name="sum", version=1, reads=pa.schema([*NUMBERS, DOUBLES.field("double")]), writes=DOUBLES, build=build_sum
)


REMAINDERS = MapStage(
    name="remainders",
    version=1,
    reads=NUMBERS,
    writes=pa.schema([("id", pa.string()), ("parent", pa.string())]),
    build=build_remainders,
    per="parent",
)
COUNT_ALL = GatherStage(
    name="count",
    version=1,
    reads={"rows": pa.schema([("id", pa.string())])},
    writes=NUMBERS,
    decide=lambda tables, _: Outcome(pa.table({"id": ["all"], "n": [tables["rows"].num_rows]}, schema=NUMBERS)),
)


def index_step(n: int = 1000, backwards: bool = False) -> Step:
    return Step(name="index", stage=INDEX, settings=Count(n=n, backwards=backwards), part_rows=300)


def double_step(rows: Step, engine: str = "local", batch_rows: int = 64, workers: int = 1, **settings: object) -> Step:
    placement = Placement(engine=engine, batch_rows=batch_rows, workers=workers, max_dropped=1.0)
    return Step(
        name="double",
        stage=DOUBLE,
        settings=Doubling(**settings),
        inputs={"rows": rows},
        placement=placement,  # pyright: ignore[reportArgumentType]
    )


def reporter() -> Reporter:
    return Silent()
