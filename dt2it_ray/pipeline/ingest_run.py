"""How `dt2it ingest` turns an outside data set into a folder of checked preferences."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from dt2it_ray.errors import ConfigError, InputError, StepChanged
from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.pipeline.drive import LOCK_FILE, Made, as_json, drive, plan_id_of, read_json
from dt2it_ray.pipeline.ingest_plan import LAST, OutsideFiles, name_of, plan_ingest
from dt2it_ray.pipeline.planner import Planner, refuse_misplaced
from dt2it_ray.pipeline.run_record import RUN_FILE, SUMMARY_FILE
from dt2it_ray.pipeline.run_settings import PlacedSettings, placement_keys
from dt2it_ray.settings import load_settings
from dt2it_ray.stages.ingest_settings import IngestSettings
from dt2it_ray.stages.stage import Placement, Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.fingerprint import differences
from dt2it_ray.store.manifest import MANIFEST

DROPPED_FILE = "dropped.jsonl"
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
"""How the folders are called in which steps write."""


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
    inside = Folder(settings.files.input).path("").rstrip("/")
    if f"{Folder(settings.output).path('').rstrip('/')}/".startswith(f"{inside}/"):
        raise ConfigError(f"output={settings.output} is in the input, {inside}; give the data set a folder elsewhere")
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
            _forget(steps, run)
            run.delete(SUMMARY_FILE)
        elif not settings.keep_steps:
            _forget(steps[:-1], run)
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
        raise _explained(run, settings) from None
    made = driven.manifests
    dropped = _write_dropped(run, made)
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


def _write_dropped(run: Folder, made: Made) -> dict[str, int]:
    """Write every refused row as a line of JSON; returns how many there are by reason."""
    counts: dict[str, int] = {}
    with run.replacing(DROPPED_FILE) as stream:
        for row in _refused_rows(run, made):
            counts[row["reason"]] = counts.get(row["reason"], 0) + 1
            stream.write((json.dumps(row, ensure_ascii=False) + "\n").encode())
    return dict(sorted(counts.items()))


def _refused_rows(run: Folder, made: Made) -> Iterator[dict[str, Any]]:
    for name in ("load", "images", LAST):
        for file in made[name].dropped if name in made else ():
            for row in made[name].data(run).read_table(file.name).to_pylist():
                yield _told(row)


def _told(row: dict[str, str]) -> dict[str, Any]:
    """A refused row with its place and field apart."""
    file, _, number = row["key"].rpartition(":")
    where, _, detail = row["detail"].partition(": ")
    return {
        "file": file,
        "row": int(number.partition(".")[0]),
        "field": where.removeprefix("field "),
        "reason": row["reason"],
        "detail": detail,
        "raw": row["evidence"],
    }


def _forget(steps: tuple[Step, ...], run: Folder) -> None:
    """Remove what these steps wrote, with these settings or others; not what else lies in folders of their names."""
    for step in steps:
        inside = (name.removeprefix(f"{step.name}/") for name in run.names(step.name, recursive=True))
        for made in {name.partition("/")[0] for name in inside}:
            if made == MANIFEST or FINGERPRINT.fullmatch(made):
                run.delete(f"{step.name}/{made}")
        for folder in (step.name, step.name.partition("/")[0]):
            if not run.names(folder, recursive=True):
                run.delete(folder)


def _explained(run: Folder, settings: IngestRunSettings) -> StepChanged:
    """What differs from the ingestion that the folder holds: its last step alone knows too little, and is often all
    that is left."""
    before, now = (
        {name: tree.get(name, {}) for name in ("files", "ingest")}
        for tree in (read_json(run, RUN_FILE).get("settings", {}), settings.model_dump(mode="json"))
    )
    lines = differences(before, now) or ["the files that it reads have changed, or the code that reads them"]
    return StepChanged(
        f"{run.path('')} holds a data set that would now be made differently:\n"
        + "\n".join(f"  {line}" for line in lines)
        + f"\nChoose another output, or delete {run.path(LAST)} to make it anew."
    )
