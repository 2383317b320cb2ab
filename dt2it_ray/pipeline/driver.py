"""How a run of the loop is driven: every step of the plan, then the summary and the report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dt2it_ray.models.backbones import find_backbone
from dt2it_ray.pipeline.drive import LOCK_FILE, Made, as_json, drive, plan_id_of, read_json
from dt2it_ray.pipeline.plan import iteration_name, plan_iteration
from dt2it_ray.pipeline.planner import refuse_misplaced
from dt2it_ray.pipeline.report_pages import PAGE, write_report
from dt2it_ray.pipeline.run_record import SUMMARY_FILE
from dt2it_ray.pipeline.run_settings import RunSettings
from dt2it_ray.pipeline.step_state import finished
from dt2it_ray.pipeline.summary import summarise
from dt2it_ray.stages.stage import Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.manifest import Manifest


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
    plan_id = plan_id_of(steps)
    if len(done) == len(steps) and (summary := _written_summary(run, plan_id)):
        return summary
    with run.held(LOCK_FILE):
        return _drive(settings, run, plan, plan_id)


def _drive(settings: RunSettings, run: Folder, plan: Mapping[int, Sequence[Step]], plan_id: str) -> dict[str, Any]:
    """Run the steps that are not done, and write what they, every iteration and the whole run came to."""
    steps = [step for its_steps in plan.values() for step in its_steps]
    iteration_of = {step.name: iteration for iteration, its_steps in plan.items() for step in its_steps}
    left = Counter(iteration_of.values())

    def told(step: Step, made: Made) -> None:
        iteration = iteration_of[step.name]
        left[iteration] -= 1
        if not left[iteration]:
            run.write(f"{iteration_name(iteration)}/iteration.json", as_json(sum_up(settings, iteration, made)))

    driven = drive(steps, run, settings, settings.max_concurrent_steps, told)
    summary = summarise(run, settings, driven.manifests, wall_s=driven.wall_s, peak_rss_mib=driven.peak_mib)
    summary |= {"plan": plan_id}
    write_report(run, settings, summary)
    run.write(SUMMARY_FILE, as_json(summary))
    return summary


def _written_summary(run: Folder, plan_id: str) -> dict[str, Any] | None:
    """The summary that an earlier call wrote, last of all, of exactly these steps."""
    summary = read_json(run, SUMMARY_FILE)
    return summary if summary.get("plan") == plan_id and run.exists(PAGE) else None


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
