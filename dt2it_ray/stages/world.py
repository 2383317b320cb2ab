"""How the embedded world is made: narrow indexes, rows from them, and benchmark files that are read back."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from dt2it_ray.data.formats.benchmarks import BENCHMARK_FORMATS
from dt2it_ray.data.scenes.held_out import benchmark_row
from dt2it_ray.data.scenes.open_sets import open_row
from dt2it_ray.data.scenes.prompts import distill_row
from dt2it_ray.data.scenes.t2i_rows import t2i_row
from dt2it_ray.data.scenes.world_index import LABELS, NUMBERS, index_labels, index_numbers
from dt2it_ray.data.schema import BENCHMARK_ROWS, PROMPTS, T2I_ROWS
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import (
    PART_ROWS,
    BatchFn,
    ExportStage,
    GatherStage,
    LoadStage,
    MapStage,
    NoSettings,
    Outcome,
    Stage,
    Step,
    Workplace,
)
from dt2it_ray.store.files import Folder


class OpenSizes(Settings):
    """Labelled pairs of each noisy open set."""

    label_flips: int = Field(default=1500, ge=0)
    style_bias: int = Field(default=1500, ge=0)
    text_shortcut: int = Field(default=1500, ge=0)
    clean: int = Field(default=1500, ge=0)


class FlipShares(Settings):
    """Part of the labels of each open set that are wrong on purpose."""

    label_flips: float = Field(default=0.3, ge=0, le=1)
    style_bias: float = Field(default=0.3, ge=0, le=1)
    text_shortcut: float = Field(default=0.3, ge=0, le=1)
    clean: float = Field(default=0.0, ge=0, le=1)


class BenchmarkSizes(Settings):
    """Pairs of each held-out benchmark."""

    vl_rewardbench: int = Field(default=300, ge=1)
    multimodal_rewardbench: int = Field(default=300, ge=1)
    mm_rlhf_rewardbench: int = Field(default=300, ge=1)


class WorldSettings(Settings):
    """How large the embedded world is and what is wrong with its open data."""

    seed: int = 0
    """Other seeds give another world of the same kind."""
    distill: int = Field(default=600, ge=1)
    """Prompts for which candidates are generated."""
    t2i: int = Field(default=400, ge=1)
    """Text-to-image preferences."""
    open: OpenSizes = OpenSizes()
    """Pairs of the noisy pool by set."""
    flips: FlipShares = FlipShares()
    """Planted label flips by set."""
    benchmarks: BenchmarkSizes = BenchmarkSizes()
    """Rows of the held-out benchmarks by name."""

    @model_validator(mode="after")
    def _has_a_pool(self) -> "WorldSettings":
        if not any(self.open.model_dump().values()):
            raise ValueError("all open sets have 0 pairs; give at least one of them some, e.g. world.open.clean=100")
        return self


class IndexSettings(Settings):
    """Which numbers are given out."""

    seed: int
    sizes: dict[str, int]
    """Rows, or labelled pairs, by source."""
    flips: dict[str, float] = Field(default_factory=dict)
    """Part of the labels that are wrong, by source."""


class RowSettings(Settings):
    """What rows are drawn from, besides their number."""

    seed: int


class BenchmarkName(Settings):
    """Which benchmark's rows are written."""

    benchmark: str


def _index(tables: Mapping[str, pa.Table], settings: IndexSettings) -> Outcome:
    return Outcome(index_numbers(settings.seed, settings.sizes), metrics={"rows": settings.sizes})


def _index_labels(tables: Mapping[str, pa.Table], settings: IndexSettings) -> Outcome:
    labels = index_labels(settings.seed, settings.sizes, settings.flips)
    flipped = pc.sum(pc.list_flatten(labels["flips"])).as_py() or 0
    return Outcome(labels, metrics={"pairs": settings.sizes, "planted_flips": flipped})


MakeRow = Callable[[Mapping[str, Any], int], dict[str, Any]]
"""A wide row from a row of an index and the world's seed, and from nothing else."""


def build_rows(make_row: MakeRow, writes: pa.Schema, settings: RowSettings, place: Workplace) -> BatchFn:
    """A function from rows of an index to rows of `writes`, one for one."""

    def make(batch: pa.Table) -> Outcome:
        rows = [make_row(numbered, settings.seed) for numbered in batch.to_pylist()]
        return Outcome(pa.Table.from_pylist(rows, schema=writes))

    return make


def _distill_row(row: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return distill_row(row["prompt_id"], row["source"], seed, row["number"])


def _t2i_row(row: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return t2i_row(row["prompt_id"], row["source"], seed, row["number"])


def _open_row(row: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return open_row(row["prompt_id"], row["source"], seed, row["number"], row["flips"])


def _benchmark_row(row: Mapping[str, Any], seed: int) -> dict[str, Any]:
    return benchmark_row(row["prompt_id"], row["source"], seed, row["number"])


def _row_stage(name: str, reads: pa.Schema, writes: pa.Schema, make_row: MakeRow, version: int = 2) -> MapStage:
    build = functools.partial(build_rows, make_row, writes)
    return MapStage(name=name, version=version, reads=reads, writes=writes, build=build)


def export_benchmark(tables: Mapping[str, pa.Table], settings: BenchmarkName, folder: Folder) -> Mapping[str, Any]:
    """Write the rows of one benchmark as its released files."""
    rows = tables["rows"].filter(pc.equal(tables["rows"]["source"], settings.benchmark))
    return {"rows": BENCHMARK_FORMATS[settings.benchmark].write(rows.to_pylist(), folder)}


def load_benchmarks(folders: Mapping[str, Folder], settings: NoSettings) -> Iterator[Outcome]:
    """The rows of every folder, which is in the format that its input name says."""
    for name in sorted(folders):
        read = 0
        for batch in BENCHMARK_FORMATS[name].read(folders[name]):
            read += batch.rows.num_rows
            yield Outcome(batch.rows, batch.dropped, {f"rows.{name}": read})


INDEX = GatherStage(name="index", version=1, reads={}, writes=NUMBERS, decide=_index)
INDEX_LABELS = GatherStage(name="index_labels", version=1, reads={}, writes=LABELS, decide=_index_labels)
DISTILL = _row_stage("distill_rows", NUMBERS, PROMPTS, _distill_row)
T2I = _row_stage("t2i_rows", NUMBERS, T2I_ROWS, _t2i_row)
OPEN = _row_stage("open_rows", LABELS, PROMPTS, _open_row, version=3)
BENCHMARKS = _row_stage("benchmark_rows", NUMBERS, BENCHMARK_ROWS, _benchmark_row)
EXPORT = ExportStage(name="export_benchmark", version=1, reads={"rows": BENCHMARK_ROWS}, export=export_benchmark)
LOAD = LoadStage(name="load_benchmarks", version=2, writes=BENCHMARK_ROWS, load=load_benchmarks)


class AddStep(Protocol):
    """Appends a step to a plan and returns it."""

    def __call__(
        self, name: str, stage: Stage, settings: Settings, inputs: Mapping[str, Step], part_rows: int = PART_ROWS
    ) -> Step: ...


@dataclass(frozen=True)
class World:
    """The steps whose rows the loop starts from."""

    distill: Step
    t2i: Step
    open: Step
    benchmarks: Step


def plan_world(add: AddStep, settings: WorldSettings) -> World:
    """Add the steps that make the world. Resizing one kind of rows leaves the others alone."""
    return World(
        distill=plan_distill(add, settings.seed, settings.distill),
        t2i=_plan_rows(add, settings.seed, "t2i", T2I, {"t2i": settings.t2i}),
        open=plan_open_sets(add, settings),
        benchmarks=plan_benchmarks(add, settings),
    )


def plan_distill(add: AddStep, seed: int, prompts: int) -> Step:
    """Add the steps that make prompts to answer; the last one's rows have neither answers nor labels."""
    return _plan_rows(add, seed, "distill", DISTILL, {"distill": prompts})


def plan_open_sets(add: AddStep, settings: WorldSettings) -> Step:
    """Add the steps that make the noisy pool; the last one's rows are its prompts with labels."""
    labels = IndexSettings(seed=settings.seed, sizes=settings.open.model_dump(), flips=settings.flips.model_dump())
    index = add("open/index", INDEX_LABELS, labels, {})
    return add("open/rows", OPEN, RowSettings(seed=settings.seed), {"rows": index})


def plan_benchmarks(add: AddStep, settings: WorldSettings) -> Step:
    """Add the steps that write the held-out benchmarks in their released formats and read them back."""
    held_out = _plan_rows(add, settings.seed, "benchmarks", BENCHMARKS, settings.benchmarks.model_dump())
    sources = {
        name: add(f"sources/{name}", EXPORT, BenchmarkName(benchmark=name), {"rows": held_out})
        for name in BENCHMARK_FORMATS
    }
    return add("benchmarks/load", LOAD, NoSettings(), sources)


def _plan_rows(add: AddStep, seed: int, folder: str, stage: MapStage, sizes: dict[str, int]) -> Step:
    index = add(f"{folder}/index", INDEX, IndexSettings(seed=seed, sizes=sizes), {})
    return add(f"{folder}/rows", stage, RowSettings(seed=seed), {"rows": index})
