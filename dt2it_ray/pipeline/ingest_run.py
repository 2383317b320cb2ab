"""How `dt2it ingest` turns an outside data set into a folder of checked preferences."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from dt2it_ray.errors import InputError, StepChanged
from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.pipeline.drive import LOCK_FILE, Made, as_json, drive, plan_id_of, read_json
from dt2it_ray.pipeline.ingest_plan import LAST, OutsideFiles, name_of, plan_ingest
from dt2it_ray.pipeline.own_folder import (
    DROPPED_FILE,
    explain_other_settings,
    forget_steps,
    placed,
    refuse_output_in_input,
    refused_rows,
    write_refused,
)
from dt2it_ray.pipeline.planner import Planner, refuse_misplaced
from dt2it_ray.pipeline.run_record import SUMMARY_FILE
from dt2it_ray.pipeline.run_settings import PlacedSettings, placement_keys
from dt2it_ray.settings import load_settings
from dt2it_ray.stages.ingest_settings import IngestSettings
from dt2it_ray.stages.stage import Placement, Step
from dt2it_ray.store.files import Folder


class IngestRunSettings(PlacedSettings):
    """One ingestion: what is read, how it is checked, and where it is written."""

    name: str = "ingest"
    """Not used: the run's folder is `output`."""
    files: OutsideFiles
    """What is read."""
    output: str
    """Folder of the data set; its rows are those that `OUTPUT/ingested/manifest.json` lists."""
    ingest: IngestSettings = IngestSettings()
    """How rows are read and checked, and which repeat."""
    workers: int = Field(default=0, ge=0)
    """Processes that parse rows; 0: one per core. They change no byte."""
    keep_steps: bool = False
    """Keep what the steps before the last one wrote, so that other settings need not read everything again."""

    def folder(self) -> str:
        """Path or URI of the run."""
        return self.output

    def placement_of(self, step: str, stage: str) -> Placement:
        """Where a step runs. Refused rows make no step fail unless a placement says so: to refuse rows is its task."""
        named = any(key in self.placement for key in placement_keys(step, stage))
        return super().placement_of(step, stage) if named else Placement(max_dropped=1.0)


def plan_ingest_run(settings: IngestRunSettings) -> tuple[Step, ...]:
    """The steps of an ingestion, each after the steps it reads. Raises ConfigError and InputError as `plan_ingest`."""
    refuse_output_in_input(settings.files.input, settings.output)
    planner = Planner(settings, find_backbone("tiny"))
    plan_ingest(planner.add, settings.files, settings.ingest, settings.workers or os.cpu_count() or 1)
    refuse_misplaced(settings, planner.steps)
    return tuple(planner.steps)


def run_ingest_command(named: Mapping[str, str], config: str | None, overrides: Iterable[str]) -> Iterator[str]:
    """Ingest as typed, and tell what came of it. Raises what `run_ingest` does."""
    given = [f"{key}={json.dumps(value)}" for key, value in named.items() if value]
    settings = load_settings(IngestRunSettings, config, [*given, *overrides])
    summary = run_ingest(settings)
    yield f"{summary['rows']:,} of {summary['rows_read']:,} rows in {settings.output}"
    for reason, rows in summary["dropped"].items():
        yield f"{rows:,} dropped: {reason}"
    for name, rows in summary["in_benchmarks"].items():
        told = summary["benchmarks"][name]
        missing = f"; images of {told['images_missing']:,} rows are missing" if told.get("images_missing") else ""
        unread = f"; {told['rows_refused']:,} rows cannot be read" if told.get("rows_refused") else ""
        yield f"{rows:,} in {name}, of {told['rows']:,} rows{missing}{unread}"
    yield f"Refused rows: {os.path.join(settings.output, DROPPED_FILE)}; figures: summary.json beside it"


def run_ingest(settings: IngestRunSettings) -> dict[str, Any]:
    """Do what is not done yet, and return what it came to, which is also in the folder's summary.json.

    Raises:
        ConfigError: see `plan_ingest_run`. StepChanged: the folder holds another data set.
        InputError: a file cannot be read, or no row of it can be used; then dropped.jsonl tells why.
        StageFailed, StoreError: a step failed; the same call resumes behind what is sealed.
    """
    steps = plan_ingest_run(settings)
    run = Folder(settings.folder())
    with run.held(LOCK_FILE):
        summary = read_json(run, SUMMARY_FILE)
        if summary.get("plan") != plan_id_of(steps):
            summary = _do(steps, run, settings)
        if not summary["rows"]:
            # Nothing was made that other settings could change.
            forget_steps(steps, run)
            run.delete(SUMMARY_FILE)
        elif not settings.keep_steps:
            forget_steps(steps[:-1], run)
    if not summary["rows"]:
        told = ", ".join(f"{reason} {rows:,}" for reason, rows in summary["dropped"].items()) or "there are none"
        raise InputError(
            f"{settings.files.input}: no row can be used as {settings.ingest.format} ({told}). "
            f"{run.path(DROPPED_FILE)} tells why, row by row."
        )
    return summary


def _do(steps: tuple[Step, ...], run: Folder, settings: IngestRunSettings) -> dict[str, Any]:
    try:
        driven = drive(steps, run, settings, settings.max_concurrent_steps)
    except StepChanged:
        raise explain_other_settings(run, settings, ("files", "ingest"), "a data set", LAST) from None
    made = driven.manifests
    dropped = write_refused(run, DROPPED_FILE, _refused_rows(run, made))
    repeats = made["repeats"].metrics
    summary = {
        "plan": plan_id_of(steps),
        "source": settings.files.source or name_of(settings.files.input),
        "format": settings.ingest.format,
        "rows_read": made[LAST].counts.rows_out + sum(dropped.values()),
        "rows": made[LAST].counts.rows_out,
        "dropped": dropped,
        "in_benchmarks": repeats["in_benchmarks"],
        "benchmarks": {name.partition("/")[2]: m.metrics for name, m in made.items() if name.startswith("benchmarks/")},
        "figures": made[LAST].metrics,
        "wall_s": round(driven.wall_s, 1),
        "peak_rss_mib": round(driven.peak_mib),
    }
    run.write(SUMMARY_FILE, as_json(summary))
    return summary


def _refused_rows(run: Folder, made: Made) -> Iterator[dict[str, Any]]:
    steps = (made[name] for name in ("load", "images", LAST) if name in made)
    return map(placed, refused_rows(run, steps))
