"""A stage over an engine that counts what it is asked and leaves a note when it is opened and closed."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from dt2it_ray.settings import Settings
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.stage import MapStage, Outcome, Placement, Step, Workplace
from tests.engine.toy import DOUBLES, NUMBERS
from tests.waiting import until


class Metered(Settings):
    """Where notes are left, what goes wrong on purpose, and a metric of every batch."""

    notes: str
    raise_at: int = -1
    told: Any = 0.5
    peers: int = 1
    """No batch is done before so many engines are open."""


@dataclass
class Used:
    asked: int = 0


@dataclass
class Engine:
    settings: Metered
    usage: Used = field(default_factory=Used)

    def __post_init__(self) -> None:
        self._note("opened")

    def double(self, batch: pa.Table) -> Outcome:
        numbers = batch["n"].to_pylist()
        self._wait_for_peers()
        if self.settings.raise_at in numbers:
            raise ValueError(f"cannot stand {self.settings.raise_at}")
        self.usage.asked += len(numbers)
        doubles = pa.table({"id": batch["id"], "double": [2 * number for number in numbers]}, schema=DOUBLES)
        return Outcome(doubles, metrics={"told": self.settings.told})

    def close(self) -> None:
        self._note("closed")

    def _wait_for_peers(self) -> None:
        assert until(lambda: len(noted(Path(self.settings.notes), "opened")) >= self.settings.peers)

    def _note(self, what: str) -> None:
        with Path(self.settings.notes).open("a") as notes:
            notes.write(f"{what} {os.getpid()}\n")


def build_metered(settings: Metered, place: Workplace) -> EngineFn:
    engine = Engine(settings)
    return EngineFn(engine.double, engine)


METERED = MapStage(name="metered", version=1, reads=NUMBERS, writes=DOUBLES, build=build_metered)


def metered_step(rows: Step, notes: Path, placement: Placement | None = None, **settings: Any) -> Step:
    told = Metered(notes=str(notes), **settings)
    return Step(name="metered", stage=METERED, settings=told, inputs={"rows": rows}, placement=placement or Placement())


def noted(notes: Path, what: str) -> list[str]:
    """The processes that left such a note."""
    told = [line.split() for line in notes.read_text().splitlines()]
    return sorted(process for word, process in told if word == what)
