"""How the steps of any plan are done in a run folder: what is not finished yet, several at a time, all of it told."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt2it_ray.data.ids import content_id
from dt2it_ray.engine.session import ray_session
from dt2it_ray.engine.telemetry import Bars, Lines, PeakMemory, Reporter
from dt2it_ray.pipeline.run_record import RUN_FILE
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.pipeline.step_queue import do_steps, needs_ray
from dt2it_ray.pipeline.step_state import State, finished, step_state
from dt2it_ray.pipeline.summary import busy_s, rows_per_s, rows_read
from dt2it_ray.pipeline.usage import told_usage
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest
from dt2it_ray.store.provenance import capture_provenance

LOCK_FILE = "driver.lock"
"""Held by the driver of a run, so that no second one writes the same parts."""
MEMORY_FILE = "memory.json"
"""The most memory that a call of the run took so far; later calls start from it, should this one not reach its end."""
PEAK = "peak_rss_mib"

Made = Mapping[str, Manifest]
"""Manifests of finished steps by name."""


@dataclass(frozen=True)
class Driven:
    """What a plan came to: manifests in its order, seconds of work of all calls together, and the peak of memory."""

    manifests: Made
    wall_s: float
    peak_mib: float


def plan_id_of(steps: Sequence[Step]) -> str:
    """A name of exactly these steps."""
    return content_id(*(f"{step.name} {step.fingerprint}" for step in steps))


def drive(
    steps: Sequence[Step],
    run: Folder,
    settings: Settings,
    max_concurrent: int,
    told: Callable[[Step, Made], None] = lambda step, made: None,
) -> Driven:
    """Do every step that is not done yet. `told` hears of each step that is done, and of all that are done by then.

    The caller holds the run's lock.

    Raises:
        StepChanged: a finished step would be made differently now.
        StageFailed, StoreError: a step failed; the same call resumes behind what is sealed.
    """
    # A plan that is refused leaves the folder as it was.
    done = [manifest for step in steps if (manifest := finished(step, run)) is not None]
    _describe_run(run, settings, steps)
    began, spent = time.monotonic(), busy_s(done)
    made: dict[str, Manifest] = {}
    peak_before = read_json(run, MEMORY_FILE).get(PEAK, 0.0)
    with PeakMemory(peak_before) as memory, _reporter() as reporter, _session_for(steps, run):

        def do(step: Step) -> None:
            try:
                made[step.name] = _do_step(step, run, reporter)
            except Exception:
                # The error itself is told when all has stopped, which may be hours later.
                reporter.finish(step.name, f"{step.name}: failed; no step starts any more, what runs is finished first")
                raise

        for step in do_steps(steps, max_concurrent, do):
            run.write(MEMORY_FILE, as_json({PEAK: memory.peak_mib}))
            told(step, made)
    manifests = {step.name: made[step.name] for step in steps}
    return Driven(manifests, spent + time.monotonic() - began, memory.peak_mib)


def read_json(run: Folder, name: str) -> dict[str, Any]:
    """What a file of the run holds; nothing if it is missing or damaged, so that it is written anew."""
    try:
        return json.loads(run.read(name)) if run.exists(name) else {}
    except ValueError:
        return {}


def as_json(tree: Mapping[str, Any]) -> bytes:
    """The tree as indented JSON for a person to read."""
    return json.dumps(tree, indent=2, ensure_ascii=False).encode()


def _describe_run(run: Folder, settings: Settings, steps: Sequence[Step]) -> None:
    """Write run.json: resolved settings, the plan with fingerprints, and where it was made. The same plan is kept."""
    plan = [
        {"step": step.name, "stage": step.stage.name, "fingerprint": step.fingerprint, "inputs": _names(step)}
        for step in steps
    ]
    if read_json(run, RUN_FILE).get("plan") == plan:
        return
    told = {"settings": settings.model_dump(mode="json"), "plan": plan, "provenance": capture_provenance()}
    run.write(RUN_FILE, as_json(told))


def _names(step: Step) -> dict[str, str]:
    return {name: source.name for name, source in step.inputs.items()}


@contextlib.contextmanager
def _session_for(steps: Sequence[Step], run: Folder) -> Iterator[None]:
    """Ray, if any step that is not done needs it."""
    needs = {
        step.name: step.placement.least() for step in steps if needs_ray(step) and step_state(step, run) != State.SKIP
    }
    if not needs:
        yield
        return
    with ray_session(needs):
        yield


def _do_step(step: Step, run: Folder, reporter: Reporter) -> Manifest:
    done_before = step_state(step, run) == State.SKIP
    manifest = run_step(step, run, reporter)
    if not done_before:
        reporter.finish(step.name, told_of(manifest))
    return manifest


def told_of(manifest: Manifest) -> str:
    """What a person is told of a step: the rows that this call read, of all if it was resumed, their time and rate."""
    counts, read, total = manifest.counts, rows_read(manifest), manifest.counts.rows_in + manifest.counts.skipped
    rows = f"{read:,}" if read == total else f"{read:,} of {total:,}"
    rate = f"{manifest.provenance['wall_s']:.1f} s, {rows_per_s(manifest):,.0f} rows/s"
    skipped = f", {counts.skipped:,} skipped" if counts.skipped else ""
    dropped = f", {counts.dropped:,} dropped {dict(counts.reasons)}" if counts.dropped else ""
    return f"{manifest.step}: {rows} rows in {rate}{skipped}{dropped}{told_usage(manifest)}"


@contextlib.contextmanager
def _reporter() -> Iterator[Reporter]:
    if not sys.stdout.isatty():
        yield Lines()
        return
    bars = Bars()
    try:
        yield bars
    finally:
        bars.close()
