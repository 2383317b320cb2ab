"""What has to happen to a step: nothing, the rest of it, all of it, or a person's decision."""

from enum import StrEnum

from dt2it_ray.errors import StepChanged
from dt2it_ray.stages.stage import Step
from dt2it_ray.store.files import Folder
from dt2it_ray.store.fingerprint import differences
from dt2it_ray.store.manifest import Manifest, read_manifest


class State(StrEnum):
    """What running a step would do."""

    SKIP = "skip"
    RESUME = "resume"
    RUN = "run"
    REFUSE = "refuse"


def step_state(step: Step, run: Folder) -> State:
    """Skip a finished step, resume a begun one, run a new one, refuse one that is finished with other settings."""
    manifest = read_manifest(run, step.name)
    if manifest is None:
        return State.RESUME if run.exists(f"{step.name}/{step.fingerprint}") else State.RUN
    return State.SKIP if manifest.fingerprint == step.fingerprint else State.REFUSE


def finished(step: Step, run: Folder) -> Manifest | None:
    """The step's manifest if it is done.

    Raises:
        StepChanged: it is done, but with other settings, inputs or code than the step has now.
    """
    manifest = read_manifest(run, step.name)
    if manifest is not None and manifest.fingerprint != step.fingerprint:
        raise StepChanged(explain_change(step, manifest, run))
    return manifest


def explain_change(step: Step, manifest: Manifest, run: Folder) -> str:
    """Which settings, inputs or version differ from those of the finished step, and what to do about it."""
    lines = differences(manifest.settings, step.identity())
    if manifest.version != step.stage.version:
        lines.append(f"the stage's version: {manifest.version} -> {step.stage.version}")
    inputs = {name: source.fingerprint for name, source in step.inputs.items()}
    lines += [f"input {name}" for name in sorted(set(inputs) | set(manifest.inputs)) if _moved(name, manifest, inputs)]
    return (
        f"{step.name} in {run.uri} is finished, but would now be made differently:\n"
        + "\n".join(f"  {line}" for line in lines)
        + "\nKeep the old result: choose another name=NAME. Replace it: delete the folder "
        + f"{run.path(step.name)} and those of the steps after it, then run again."
    )


def _moved(name: str, manifest: Manifest, inputs: dict[str, str]) -> bool:
    return manifest.inputs.get(name) != inputs.get(name)
