"""How gather, load and export steps are done: in this process, on narrow tables or streams of outside rows."""

import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from dt2it_ray.data.dropped import dropped_table
from dt2it_ray.engine.telemetry import Reporter
from dt2it_ray.pipeline.map_step import Made
from dt2it_ray.pipeline.step_files import data_folder, list_files, read_tables
from dt2it_ray.stages.stage import ExportStage, GatherStage, LoadStage, MapStage, Outcome, Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Counts, Manifest
from dt2it_ray.store.parts import Seal, part_name, refuse_duplicates, seal_rows, sort_rows


def do_gather(step: Step, stage: GatherStage, run: Folder, inputs: Mapping[str, Manifest], reporter: Reporter) -> Made:
    """Decide over whole tables and seal the decision."""
    reporter.start(step.name, 0, 0)
    tables = read_tables(stage.reads, run, inputs)
    _refuse_doubled_inputs(step, tables)
    outcome = stage.decide(tables, step.settings)
    refuse_duplicates(outcome.rows[stage.writes.names[0]].sort(), stage.writes.names[0], f"step {step.name}")
    return _seal_outcomes(step, stage.writes, data_folder(run, step), iter([outcome]))


def _refuse_doubled_inputs(step: Step, tables: Mapping[str, pa.Table]) -> None:
    """Parts are sealed one by one, so that only here a key that stands in two of them can be seen."""
    for name, table in tables.items():
        source = step.inputs[name].stage
        if isinstance(source, MapStage | LoadStage) and (key := source.writes.names[0]) in table.column_names:
            refuse_duplicates(table[key].sort(), key, f"step {step.inputs[name].name}, read by step {step.name},")


def do_load(step: Step, stage: LoadStage, run: Folder, reporter: Reporter) -> Made:
    """Read the outside files of all inputs and seal their rows."""
    reporter.start(step.name, 0, 0)
    folders = {name: data_folder(run, source) for name, source in step.inputs.items()}
    outcomes = stage.load(folders, step.settings)
    return _seal_outcomes(step, stage.writes, data_folder(run, step), outcomes)


def _seal_outcomes(step: Step, writes: pa.Schema, output: Folder, outcomes: Iterator[Outcome]) -> Made:
    """Cut outcomes into parts of `step.part_rows` rows, each sorted by key; at least one part.

    One part is written while the rows of the next are made: writing does not hold the interpreter's lock.
    """
    key = writes.names[0]
    seals: list[Seal] = []
    metrics: dict[str, Any] = {}
    with ThreadPoolExecutor(1) as writer:
        writing: list[Future[Seal]] = []
        for part, rows, dropped in _parts(step.part_rows, writes, outcomes, metrics):
            seals += [written.result() for written in writing]
            writing = [writer.submit(_seal, output, part, rows, dropped, key)]
        seals += [written.result() for written in writing]
    return Made.of(seals, metrics)


def _parts(
    part_rows: int, writes: pa.Schema, outcomes: Iterator[Outcome], metrics: dict[str, Any]
) -> Iterator[tuple[str, pa.Table, pa.Table]]:
    """Names, rows and refused rows of the parts; `metrics` get those of the outcomes."""
    key, parts = writes.names[0], map(part_name, itertools.count())
    waiting, dropped = writes.empty_table(), dropped_table()
    for outcome in outcomes:
        rows = outcome.rows.cast(writes)
        waiting = pa.concat_tables([waiting, sort_rows(rows, key)])
        dropped = pa.concat_tables([dropped, outcome.dropped])
        metrics.update(outcome.metrics)
        while waiting.num_rows >= part_rows:
            yield next(parts), waiting.slice(0, part_rows), dropped
            waiting, dropped = waiting.slice(part_rows), dropped.slice(0, 0)
    first = next(parts)
    if waiting.num_rows or dropped.num_rows or first == part_name(0):
        yield first, waiting, dropped


def _seal(output: Folder, part: str, rows: pa.Table, dropped: pa.Table, key: str) -> Seal:
    return seal_rows(output, part, rows, dropped, key, rows.num_rows + dropped.num_rows, 0)


def do_export(step: Step, stage: ExportStage, run: Folder, inputs: Mapping[str, Manifest], reporter: Reporter) -> Made:
    """Write rows as files of an outside format. The stage's metric `rows` tells how many it took of those it read."""
    output = data_folder(run, step)
    reporter.start(step.name, 0, 0)
    tables = read_tables(stage.reads, run, inputs)
    metrics = stage.export(tables, step.settings, output)
    written, read = metrics["rows"], sum(table.num_rows for table in tables.values())
    counts = Counts(rows_in=written, rows_out=written, skipped=read - written)
    return Made(files=list_files(output), counts=counts, metrics=metrics)
