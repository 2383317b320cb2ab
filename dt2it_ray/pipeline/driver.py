"""How a run is driven: every step of the plan in order, then the summary and the report."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from dt2it_ray.engine.session import ray_session
from dt2it_ray.engine.telemetry import Bars, Lines, PeakMemory, Reporter
from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.pipeline.plan import plan_run
from dt2it_ray.pipeline.report_pages import write_report
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.pipeline.run_step import run_step
from dt2it_ray.pipeline.step_state import State, finished, step_state
from dt2it_ray.pipeline.summary import summarise
from dt2it_ray.stages.stage import Step, TrainPlacement
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest
from dt2it_ray.store.provenance import capture_provenance

RUN_FILE = "run.json"
SUMMARY_FILE = "summary.json"


def run_loop(settings: RunSettings) -> dict[str, Any]:
    """Do every step that is not done yet, and return the run's summary.

    Raises:
        StepChanged: a finished step would be made differently now; nothing is run then.
        StageFailed, StoreError: a step failed; the same call resumes behind what is sealed.
    """
    run = Folder(settings.folder())
    steps = plan_run(settings, find_backbone(settings.backbone))
    for step in steps:
        finished(step, run)
    if not run.exists(RUN_FILE):
        run.write(RUN_FILE, json.dumps(describe_run(settings, steps), indent=2, ensure_ascii=False).encode())
    began = time.monotonic()
    with PeakMemory() as memory, _reporter() as reporter:
        manifests = _do_steps(steps, run, reporter)
    wall_s = time.monotonic() - began
    summary = summarise(run, settings, manifests, wall_s=wall_s, peak_rss_mib=memory.peak_mib)
    run.write(SUMMARY_FILE, json.dumps(summary, indent=2, ensure_ascii=False).encode())
    write_report(run, settings, summary)
    return summary


def describe_run(settings: RunSettings, steps: Sequence[Step]) -> dict[str, Any]:
    """What run.json holds: resolved settings, the plan with fingerprints, and where it was made."""
    plan = [
        {"step": step.name, "stage": step.stage.name, "fingerprint": step.fingerprint} | {"inputs": _names(step)}
        for step in steps
    ]
    return {"settings": settings.model_dump(mode="json"), "plan": plan, "provenance": capture_provenance()}


def _names(step: Step) -> dict[str, str]:
    return {name: source.name for name, source in step.inputs.items()}


def _do_steps(steps: Sequence[Step], run: Folder, reporter: Reporter) -> dict[str, Manifest]:
    manifests = {}
    with contextlib.ExitStack() as stack:
        if any(_needs_ray(step) and step_state(step, run) != State.SKIP for step in steps):
            stack.enter_context(ray_session())
        for step in steps:
            done_before = step_state(step, run) == State.SKIP
            manifests[step.name] = manifest = run_step(step, run, reporter)
            if not done_before:
                reporter.finish(_line(manifest))
    return manifests


def _needs_ray(step: Step) -> bool:
    placement = step.placement
    return isinstance(placement, TrainPlacement) or placement.engine == "ray"


def _line(manifest: Manifest) -> str:
    counts, seconds = manifest.counts, manifest.provenance["wall_s"]
    rate = f", {counts.rows_in / seconds:,.0f} rows/s" if seconds else ""
    dropped = f", {counts.dropped:,} dropped {dict(counts.reasons)}" if counts.dropped else ""
    return f"{manifest.step}: {counts.rows_out:,} rows in {seconds:.1f} s{rate}{dropped}"


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
