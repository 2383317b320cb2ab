"""How a study is carried out: its steps are done in its run folder, and what they came to is kept there."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from dt2it_ray.pipeline.drive import LOCK_FILE, Made, as_json, drive
from dt2it_ray.pipeline.run_record import SUMMARY_FILE
from dt2it_ray.pipeline.run_settings import PlacedSettings
from dt2it_ray.stages.stage import Step
from dt2it_ray.store.files import Folder


def _different(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{list(seeds)} names a world twice; give each seed once")
    return seeds


Worlds = Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_different)]
"""The seeds of the worlds that a study looks at, at least one, each once."""


def run_study(
    settings: PlacedSettings, steps: Sequence[Step], sum_up: Callable[[Made], dict[str, Any]]
) -> dict[str, Any]:
    """Do what is not done yet, and return what `sum_up` makes of it, which is written too.

    Raises:
        StepChanged: a finished step would be made differently now.
        StageFailed, StoreError: a step failed; the same call resumes behind what is sealed.
    """
    run = Folder(settings.folder())
    with run.held(LOCK_FILE):
        told = sum_up(drive(steps, run, settings, settings.max_concurrent_steps).manifests)
        run.write(SUMMARY_FILE, as_json(told))
    return told
