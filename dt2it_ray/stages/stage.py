"""What a step is made of: five kinds of stage, and the frozen handle that names, sets and connects one of them."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import pyarrow as pa
from pydantic import Field

from dt2it_ray.data.dropped import dropped_table
from dt2it_ray.settings import Settings
from dt2it_ray.stages.train_placement import TrainPlacement
from dt2it_ray.store.files import Folder
from dt2it_ray.store.fingerprint import fingerprint

PART_ROWS = 2048
"""Rows of a part file, the unit of sealing and resuming, unless a step says otherwise."""

UNANSWERED = "unanswered"
"""Metric of map stages: requests that a server failed to answer. Rows may go on without the reply, but their part is
made again, until there are none, or the step's placement accepts them."""


@dataclass(frozen=True)
class Outcome:
    """What a stage made of its rows: the rows that go on, those refused, and figures worth a line in the manifest."""

    rows: pa.Table
    dropped: pa.Table = field(default_factory=dropped_table)
    metrics: Mapping[str, Any] = field(default_factory=dict)


class BatchFn(Protocol):
    """Transform one batch. Must not depend on batch boundaries or on the order of rows.

    `Outcome.metrics` of batches are finite numbers; their sums over all batches of the step stand in its manifest,
    those of batches that an interrupted run had finished included. A function may have a method `close()`, which its
    worker calls once, when no more batches come, and a number `calls_at_once`, the threads that may call it at the same
    time (else 1): see `EngineFn`.
    """

    def __call__(self, batch: pa.Table) -> Outcome: ...


@dataclass(frozen=True)
class Workplace:
    """What a worker finds where it runs; none of it may change a row."""

    folders: Mapping[str, str] = field(default_factory=dict)
    """Paths of the inputs that are files (a checkpoint), by input name."""
    device: str = "cpu"
    threads: int = 1
    replies: str = ""
    """Where engines that have no cache of their own keep their replies; empty: nowhere."""


@dataclass(frozen=True, kw_only=True)
class MapStage:
    """Batch in, batch out, on any machine, in any order."""

    name: str
    version: int
    reads: pa.Schema
    """Exactly these columns arrive. The first is the key by which further inputs are laid beside the rows."""
    writes: pa.Schema
    """Exactly these columns leave. The first is the key and must be unique."""
    build: Callable[[Any, Workplace], BatchFn]
    """Called once per worker with the settings: loads the model."""
    per: str = ""
    """For a stage that makes several rows of one: the written column that holds the key of the row read."""


@dataclass(frozen=True, kw_only=True)
class GatherStage:
    """A decision that needs a global view, over tables of ids and numbers only."""

    name: str
    version: int
    reads: Mapping[str, pa.Schema]
    """Columns by input name. A name that ends in `/*` stands for all inputs with that prefix."""
    writes: pa.Schema
    decide: Callable[[Mapping[str, pa.Table], Any], Outcome]


@dataclass(frozen=True, kw_only=True)
class LoadStage:
    """Outside files in, rows out: `load(folders by input name, settings)` yields outcomes in file order."""

    name: str
    version: int
    writes: pa.Schema
    load: Callable[[Mapping[str, Folder], Any], Iterator[Outcome]]


@dataclass(frozen=True, kw_only=True)
class ExportStage:
    """Rows in, files in an outside format out: `export(tables, settings, folder)` returns metrics, among them `rows`:
    how many it wrote."""

    name: str
    version: int
    reads: Mapping[str, pa.Schema]
    export: Callable[[Mapping[str, pa.Table], Any, Folder], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class TrainStage:
    """Rows in, a checkpoint folder out, by a loop that runs in every training worker."""

    name: str
    version: int


Stage = MapStage | GatherStage | LoadStage | ExportStage | TrainStage


class Placement(Settings):
    """Where and how fast a map step runs. Never fingerprinted: no value here may change a row."""

    engine: Literal["local", "ray"] = "local"
    """`local` runs in this process, `ray` on Ray Data actors."""
    workers: int = Field(default=1, ge=1)
    """Fewest actors of a pool; they start at once."""
    max_workers: int = Field(default=0, ge=0)
    """Most actors of an autoscaling pool; 0 means `workers`."""
    initial_workers: int = Field(default=0, ge=0)
    """Actors that a pool begins with; 0 means `workers`."""
    cpus: float = Field(default=1, ge=0)
    """CPU cores of each worker without a GPU; also its threads. Beside a GPU, Ray Data reserves no cores."""
    gpus: float = Field(default=0, ge=0)
    """GPUs of each worker; above 0 the model runs on cuda."""
    batch_rows: int = Field(default=64, ge=1)
    """Most rows of one call of the stage's function."""
    max_dropped: float = Field(default=0.2, ge=0, le=1)
    """The step fails as soon as more than this share of its rows is dropped. Raising it and running again loses
    nothing."""
    accept_unanswered: bool = False
    """Go on without what a server failed to answer (rows dropped as `endpoint_failed`, judgements without a reply).
    False: the step ends with an error, and the next run asks for it again."""

    def least(self) -> dict[str, float]:
        """What its workers need before the first row moves, in Ray's words."""
        return {"GPU": self.workers * self.gpus} if self.gpus else {"CPU": self.workers * self.cpus}


class NoSettings(Settings):
    """Of a stage that has nothing to set."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One stage with its settings and inputs under a name that is also its folder: `iter-01/score-voter-0`."""

    name: str
    stage: Stage
    settings: Settings
    inputs: Mapping[str, "Step"] = field(default_factory=dict)
    placement: Placement | TrainPlacement = field(default_factory=Placement)
    part_rows: int = PART_ROWS
    """Rows of a part, for stages that start a new partition (gather and load); others keep their input's parts."""

    @functools.cached_property
    def fingerprint(self) -> str:
        """What this step's result depends on: stage, version, settings, inputs, and the partition it starts."""
        settings = self.identity()
        inputs = {name: step.fingerprint for name, step in self.inputs.items()}
        return fingerprint(self.stage.name, self.stage.version, settings, inputs)

    def identity(self) -> dict[str, Any]:
        """The settings as plain values, as they are fingerprinted and written to the manifest."""
        settings = self.settings.model_dump(mode="json")
        if isinstance(self.stage, GatherStage | LoadStage) and self.part_rows != PART_ROWS:
            settings["part_rows"] = self.part_rows
        return settings
