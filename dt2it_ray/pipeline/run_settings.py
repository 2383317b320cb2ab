"""What a person can set for a whole run: one tree, read from YAML."""

import os

from pydantic import Field, model_validator

from dt2it_ray.models.model_settings import ScoreSettings
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.pipeline.outside_settings import OutsideSettings
from dt2it_ray.settings import Settings
from dt2it_ray.stages.construct import ConstructSettings
from dt2it_ray.stages.curate import CurateSettings
from dt2it_ray.stages.evaluate import EvaluateSettings
from dt2it_ray.stages.stage import Placement, TrainPlacement
from dt2it_ray.stages.t2i import SideSettings
from dt2it_ray.stages.world import WorldSettings


class PlacedSettings(Settings):
    """Where a run is kept and where its steps run. Nothing here bears identity."""

    root: str = "runs"
    """Folder under which runs are kept, on a disk that all machines of the run mount."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The run's folder under `root`. The same name resumes."""
    placement: dict[str, Placement] = Field(default_factory=dict)
    """Where map steps run, by stage name (`score`, `generate`, ...); `default` for stages not named. A judge of a panel
    may have a place of its own (`listwise/JUDGE`)."""
    training: TrainPlacement = TrainPlacement()
    """Where reward models are trained."""
    max_concurrent_steps: int = Field(default=1, ge=1)
    """Steps that do not read each other (the voters, the baseline) run at the same time, up to this many, as far as
    the machines have room for them."""

    def folder(self) -> str:
        """Path or URI of the run."""
        return f"{self.root.rstrip('/')}/{self.name}" if "://" in self.root else os.path.join(self.root, self.name)

    def placement_of(self, step: str, stage: str) -> Placement:
        """Where a step of this stage runs."""
        return next((self.placement[key] for key in placement_keys(step, stage) if key in self.placement), Placement())


def placement_keys(step: str, stage: str) -> tuple[str, ...]:
    """Under which names a step's placement may be set, the nearest first."""
    member = f"/{step}".partition(f"/{stage}/")[2]
    return (*([f"{stage}/{member}"] if member else []), stage, "default")


class RunSettings(PlacedSettings):
    """A run of the whole loop. All that is set here bears identity, by step."""

    iterations: int = Field(default=2, ge=0, le=99)
    """Rounds of curation after the base model. The paper reports 2."""
    raw_baseline: bool = True
    """Also train one model on the trusted pairs plus the noisy pool as it is, for comparison."""
    backbone: str = "tiny"
    """The checkpoint that answers prompts and that reward models start from: `tiny` (shipped) or a folder."""
    world: WorldSettings = WorldSettings()
    """The embedded world that stands in for outside data."""
    outside: OutsideSettings | None = None
    """Data of one's own in place of the embedded world (docs/outside_data.md)."""
    construction: ConstructSettings = ConstructSettings()
    """How debiased pairs are made."""
    t2i: SideSettings = SideSettings()
    """How text-to-image preferences are reformulated."""
    train: TrainSettings = TrainSettings()
    """How reward models are fitted."""
    score: ScoreSettings = ScoreSettings()
    """How reward models are read out."""
    curate: CurateSettings = CurateSettings()
    """How noisy pairs are voted on, flipped, re-judged and merged."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """How benchmark figures are computed."""

    @model_validator(mode="after")
    def _has_one_kind_of_data(self) -> "RunSettings":
        if self.outside and self.world != WorldSettings():
            raise ValueError("world does nothing beside outside, which takes its place; leave one of them out")
        if self.outside and not self.outside.pool and self.iterations:
            raise ValueError("outside.pool is empty: there is nothing to curate; set iterations=0 or name a pool")
        return self
