"""How a map step is done: its unsealed parts go through an engine, its inputs are laid beside each other by key."""

import contextlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from dt2it_ray.engine import local
from dt2it_ray.engine.part_work import Beside, MapWork
from dt2it_ray.engine.telemetry import Reporter
from dt2it_ray.errors import StageFailed
from dt2it_ray.pipeline.lost_rows import refuse_too_many_dropped, refuse_waiting, waits
from dt2it_ray.pipeline.step_files import data_folder
from dt2it_ray.stages.stage import GatherStage, LoadStage, MapStage, Placement, Step, TrainStage, Workplace
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Counts, Manifest, PartFile
from dt2it_ray.store.parts import Receipt, Seal, sealed_parts, sum_metrics, total

REPLIES = "replies"
"""Folder of a run for the replies of all engines that have no cache of their own."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What doing a step leaves."""

    files: tuple[PartFile, ...]
    counts: Counts
    dropped: tuple[PartFile, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    rows_before: int = 0
    """Input rows that an earlier, interrupted call had finished."""

    @staticmethod
    def of(seals: Sequence[Seal], metrics: Mapping[str, Any], rows_before: int = 0) -> "Made":
        """What sealed parts come to."""
        refused = tuple(file for seal in seals if (file := seal.dropped_file()))
        files = tuple(seal.file() for seal in seals)
        return Made(files=files, counts=total(seals), dropped=refused, metrics=metrics, rows_before=rows_before)


def do_map(step: Step, stage: MapStage, run: Folder, inputs: Mapping[str, Manifest], reporter: Reporter) -> Made:
    output = data_folder(run, step)
    parts = {file.name: file.rows for file in inputs["rows"].files}
    sealed = {name: seal for name, seal in sealed_parts(output).items() if name in parts and not waits(step, seal)}
    todo = {name: rows for name, rows in parts.items() if name not in sealed}
    rows_before = sum(parts[name] for name in sealed)
    reporter.start(step.name, sum(parts.values()), rows_before)
    if todo:
        with contextlib.closing(_events(step, _map_work(step, stage, run, inputs), todo)) as events:
            for event in _within_limit(step, output, events, sum(parts.values()), total(list(sealed.values()))):
                if isinstance(event, Seal):
                    sealed[event.part] = event
                else:
                    reporter.advance(step.name, event.rows_in + event.skipped)
    output.delete("pieces")
    seals = [sealed[name] for name in parts]
    refuse_waiting(step, seals)
    return Made.of(seals, sum_metrics(seal.metrics for seal in seals), rows_before)


def _within_limit(
    step: Step, output: Folder, events: Iterable[Receipt | Seal], rows: int, before: Counts
) -> Iterator[Receipt | Seal]:
    """The events of a step that reads so many rows, until so many are dropped that it can only fail."""
    reasons, most_rows = Counter(before.reasons), rows - before.skipped
    for event in events:
        if isinstance(event, Receipt):
            reasons.update(event.reasons)
            most_rows -= event.skipped
            refuse_too_many_dropped(step, output, reasons, most_rows)
        yield event


def _events(step: Step, work: MapWork, todo: Mapping[str, int]) -> Generator[Receipt | Seal, None, None]:
    placement = step.placement
    assert isinstance(placement, Placement)
    if placement.engine == "local":
        yield from local.map_parts(work, todo)
        return
    from dt2it_ray.engine import ray_map

    yield from ray_map.map_parts(work, todo, placement)


def _map_work(step: Step, stage: MapStage, run: Folder, inputs: Mapping[str, Manifest]) -> MapWork:
    placement = step.placement
    assert isinstance(placement, Placement)
    tables = {name: source for name, source in step.inputs.items() if not isinstance(source.stage, TrainStage)}
    columns = _columns_by_input(stage, step, tables)
    beside = tuple(
        Beside(
            data=data_folder(run, source),
            files=tuple(file.name for file in inputs[name].files),
            columns=columns[name],
            aligned=isinstance(source.stage, MapStage)
            and source.inputs["rows"].fingerprint == tables["rows"].fingerprint,
        )
        for name, source in tables.items()
        if name != "rows"
    )
    folders = {
        name: data_folder(run, source).uri
        for name, source in step.inputs.items()
        if isinstance(source.stage, TrainStage)
    }
    return MapWork(
        step=step.name,
        stage=stage,
        settings=step.settings,
        workplace=Workplace(
            folders=folders,
            device="cuda" if placement.gpus else "cpu",
            threads=max(1, int(placement.cpus)),
            replies=run.path(REPLIES),
        ),
        rows=data_folder(run, tables["rows"]),
        row_columns=columns["rows"],
        beside=beside,
        output=data_folder(run, step),
        batch_rows=placement.batch_rows,
    )


def _columns_by_input(stage: MapStage, step: Step, tables: Mapping[str, Step]) -> dict[str, tuple[str, ...]]:
    """Which input each column comes from: one laid beside the rows if it writes the column, else the rows."""
    key, *others = stage.reads.names
    columns: dict[str, list[str]] = {name: [] for name in tables}
    columns["rows"].append(key)
    order = [*(name for name in tables if name != "rows"), "rows"]
    for column in others:
        owner = next((name for name in order if column in _schema(tables[name]).names), None)
        if owner is None:
            raise StageFailed(f"step {step.name} reads the column {column!r}, which none of its inputs {order} writes")
        columns[owner].append(column)
    return {name: tuple(names) for name, names in columns.items()}


def _schema(step: Step) -> pa.Schema:
    if isinstance(step.stage, MapStage | GatherStage | LoadStage):
        return step.stage.writes
    raise StageFailed(f"step {step.name} writes files, not rows")
