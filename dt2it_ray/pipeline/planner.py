"""How steps get their places: by stage name from the settings, refused before anything runs if they cannot be there."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.backbones import Backbone
from dt2it_ray.pipeline.job_folder import refuse_lost_files
from dt2it_ray.pipeline.run_settings import PlacedSettings, placement_keys
from dt2it_ray.settings import Settings
from dt2it_ray.stages.stage import PART_ROWS, MapStage, Placement, Stage, Step, TrainStage

PlacedT = TypeVar("PlacedT", bound=PlacedSettings)


@dataclass
class Planner(Generic[PlacedT]):
    """Collects steps in order. A step's placement comes from the settings, by stage name."""

    settings: PlacedT
    backbone: Backbone
    steps: list[Step] = field(default_factory=list)

    def add(
        self, name: str, stage: Stage, settings: Settings, inputs: Mapping[str, Step], part_rows: int = PART_ROWS
    ) -> Step:
        """Append a step and return it, so that later steps can read it."""
        training = self.settings.training
        step = Step(
            name=name,
            stage=stage,
            settings=settings,
            inputs=inputs,
            placement=training if isinstance(stage, TrainStage) else self.settings.placement_of(name, stage.name),
            part_rows=part_rows,
        )
        self.steps.append(step)
        return step


def refuse_misplaced(settings: PlacedSettings, steps: Sequence[Step]) -> None:
    """Raises ConfigError if steps cannot be where the settings place them, before any of them costs anything."""
    refuse_lost_files(settings)
    _refuse_unknown_stages(settings.placement, steps)
    _refuse_trainings_in_storage(settings.root, steps)


def _refuse_trainings_in_storage(root: str, steps: Sequence[Step]) -> None:
    """Raises ConfigError if a step trains and the runs are not in a folder of a file system."""
    training = next((step.name for step in steps if isinstance(step.stage, TrainStage)), None)
    if training and "://" in root:
        raise ConfigError(
            f"root={root}: {training} and every other training needs a folder that all workers mount, not a URI. "
            "Give one (root=/shared/runs), and copy the finished run to where it shall be kept."
        )


def _refuse_unknown_stages(placement: Mapping[str, Placement], steps: Sequence[Step]) -> None:
    """Raises ConfigError if a placement is given for a stage that the plan does not have."""
    mapped = [step for step in steps if isinstance(step.stage, MapStage)]
    stages = sorted({"default", *(key for step in mapped for key in placement_keys(step.name, step.stage.name))})
    for name in placement:
        if name not in stages:
            near = difflib.get_close_matches(name, stages, n=1, cutoff=0.0)[0]
            raise ConfigError(f"placement.{name}: no stage is called {name!r}; did you mean {near!r}? {stages}")
