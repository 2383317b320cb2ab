"""How a run is driven: every step of the plan, then the summary and the report."""

import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dt2it_ray.data.ids import content_id
from dt2it_ray.engine.session import ray_session
from dt2it_ray.engine.telemetry import Bars, Lines, PeakMemory, Reporter
from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.pipeline.plan import iteration_name, plan_iteration, refuse_misplaced
from dt2it_ray.pipeline.report_pages import PAGE, write_report
from dt2it_ray.pipeline.run_record import RUN_FILE, SUMMARY_FILE
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.pipeline.step_queue import do_steps, needs_ray
from dt2it_ray.pipeline.step_state import State, finished, step_state
from dt2it_ray.pipeline.summary import busy_s, rows_per_s, rows_read, summarise
from dt2it_ray.stages.stage import Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest
from dt2it_ray.store.provenance import capture_provenance

LOCK_FILE = "driver.lock"
"""Held by the driver of a run, so that no second one writes the same parts."""
MEMORY_FILE = "memory.json"
"""The most memory that a call of the run took so far; later calls start from it, should this one not reach its end."""
PEAK = "peak_rss_mib"


def run_loop(settings: RunSettings) -> dict[str, Any]:
    """Do every step that is not done yet, and return the run's summary: as it was, if nothing is left to do.

    Raises:
        ConfigError: steps cannot be where the settings place them; nothing is run then.
        StepChanged: a finished step would be made differently now; nothing is run then.
        StageFailed, StoreError: a step failed; the same call resumes behind what is sealed.
    """
    backbone = find_backbone(settings.backbone)
    plan = {iteration: plan_iteration(settings, backbone, iteration) for iteration in range(settings.iterations + 1)}
    steps = [step for iteration in plan.values() for step in iteration]
    refuse_misplaced(settings, steps)
    run = Folder(settings.folder())
    done = [manifest for step in steps if (manifest := finished(step, run)) is not None]
    plan_id = content_id(*(f"{step.name} {step.fingerprint}" for step in steps))
    if len(done) == len(steps) and (summary := _written_summary(run, plan_id)):
        return summary
    with run.held(LOCK_FILE):
        return _drive(settings, run, plan, plan_id)


def _drive(settings: RunSettings, run: Folder, plan: Mapping[int, Sequence[Step]], plan_id: str) -> dict[str, Any]:
    """Run the steps that are not done, and write what they, every iteration and the whole run came to."""
    steps = [step for its_steps in plan.values() for step in its_steps]
    _describe_run(run, settings, steps)
    done = [manifest for step in steps if (manifest := finished(step, run)) is not None]
    began, spent = time.monotonic(), busy_s(done)
    made: dict[str, Manifest] = {}
    peak_before = _read_json(run, MEMORY_FILE).get(PEAK, 0.0)
    with PeakMemory(peak_before) as memory, _reporter() as reporter, _session_for(steps, run):

        def do(step: Step) -> None:
            try:
                made[step.name] = _do_step(step, run, reporter)
            except Exception:
                # The error itself is told when all has stopped, which may be hours later.
                reporter.finish(step.name, f"{step.name}: failed; no step starts any more, what runs is finished first")
                raise

        iteration_of = {step.name: iteration for iteration, its_steps in plan.items() for step in its_steps}
        left = Counter(iteration_of.values())
        for step in do_steps(steps, settings.max_concurrent_steps, do):
            run.write(MEMORY_FILE, as_json({PEAK: memory.peak_mib}))
            iteration = iteration_of[step.name]
            left[iteration] -= 1
            if not left[iteration]:
                run.write(f"{iteration_name(iteration)}/iteration.json", as_json(sum_up(settings, iteration, made)))
    manifests = {step.name: made[step.name] for step in steps}
    wall_s = spent + time.monotonic() - began
    summary = summarise(run, settings, manifests, wall_s=wall_s, peak_rss_mib=memory.peak_mib) | {"plan": plan_id}
    write_report(run, settings, summary)
    run.write(SUMMARY_FILE, as_json(summary))
    return summary


def _written_summary(run: Folder, plan_id: str) -> dict[str, Any] | None:
    """The summary that an earlier call wrote, last of all, of exactly these steps."""
    summary = _read_json(run, SUMMARY_FILE)
    return summary if summary.get("plan") == plan_id and run.exists(PAGE) else None


def _read_json(run: Folder, name: str) -> dict[str, Any]:
    """What a file of the run holds; nothing if it is missing or damaged, so that it is written anew."""
    try:
        return json.loads(run.read(name)) if run.exists(name) else {}
    except ValueError:
        return {}


def as_json(tree: Mapping[str, Any]) -> bytes:
    """The tree as indented JSON for a person to read."""
    return json.dumps(tree, indent=2, ensure_ascii=False).encode()


def _describe_run(run: Folder, settings: RunSettings, steps: Sequence[Step]) -> None:
    """Write run.json: resolved settings, the plan with fingerprints, and where it was made. The same plan is kept."""
    plan = [
        {"step": step.name, "stage": step.stage.name, "fingerprint": step.fingerprint, "inputs": _names(step)}
        for step in steps
    ]
    if _read_json(run, RUN_FILE).get("plan") == plan:
        return
    told = {"settings": settings.model_dump(mode="json"), "plan": plan, "provenance": capture_provenance()}
    run.write(RUN_FILE, as_json(told))


def _names(step: Step) -> dict[str, str]:
    return {name: source.name for name, source in step.inputs.items()}


def sum_up(settings: RunSettings, iteration: int, manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    """What iteration.json holds: accuracy, what became of the noisy pairs, and why the loop goes on or stops."""
    name = iteration_name(iteration)
    decided = manifests.get(f"{name}/decisions")
    stops = iteration == settings.iterations
    return {
        "iteration": iteration,
        "accuracy": {bench: told["accuracy"] for bench, told in manifests[f"{name}/evaluate"].metrics.items()},
        "training_pairs": manifests[f"{name}/pairs"].counts.rows_out,
        "decisions": decided.metrics if decided else {},
        "next": f"stop: iterations={settings.iterations}" if stops else f"go on with {iteration_name(iteration + 1)}",
    }


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
    return f"{manifest.step}: {rows} rows in {rate}{skipped}{dropped}"


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
