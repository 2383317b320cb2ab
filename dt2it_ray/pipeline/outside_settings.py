"""What a person sets to run the loop on data of one's own: trusted pairs, a noisy pool, and pairs to test on."""

import os
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from dt2it_ray.models.adapt_settings import AdaptSettings
from dt2it_ray.pipeline.ingest_plan import OutsideFiles
from dt2it_ray.settings import Settings
from dt2it_ray.stages.ingest_settings import IngestSettings

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
"""A name that can be a folder."""


class OutsideSet(Settings):
    """One data set: where it is, and how its rows are read and checked."""

    files: OutsideFiles
    ingest: IngestSettings = IngestSettings()


class OutsideSettings(Settings):
    """Data sets by name. Rows of the pool may not stand in a test set; `ingest.decontaminate` sees to it."""

    trusted: dict[Name, OutsideSet] = Field(min_length=1)
    """Pairs that every model learns from and nobody curates."""
    pool: dict[Name, OutsideSet] = Field(default_factory=dict)
    """Noisy pairs, which every iteration curates. Empty: one model is trained on the trusted pairs and measured."""
    tests: dict[Name, OutsideSet] = Field(min_length=1)
    """Pairs that models are measured on. A name stands where that of a benchmark would."""
    adapt: AdaptSettings | None = None
    """Fine-tune the backbone on right answers before any reward model starts from it: for data that it does not know.
    None: reward models start from the checkpoint as it is."""
    demonstrations: dict[Name, OutsideSet] = Field(default_factory=dict)
    """Rows whose chosen answers `adapt` learns. Empty: those of the trusted pairs."""
    planted_flips: dict[str, float] = Field(default_factory=dict)
    """Part of the labels of sets of the pool, by name, that are turned round on purpose, so that repairs can be
    counted. Empty: none."""
    seed: int = 0
    """Draws the planted flips."""
    workers: int = Field(default=0, ge=0, exclude=True)
    """Processes that parse rows; 0: one per core. They change no byte."""

    def processes(self) -> int:
        """How many processes parse rows."""
        return self.workers or os.cpu_count() or 1

    @model_validator(mode="after")
    def _demonstrates_to_somebody(self) -> "OutsideSettings":
        if self.demonstrations and self.adapt is None:
            raise ValueError("demonstrations: nobody learns from them without adapt; set adapt, or leave them out")
        return self

    @model_validator(mode="after")
    def _plants_in_the_pool(self) -> "OutsideSettings":
        for name, share in self.planted_flips.items():
            if name not in self.pool:
                raise ValueError(f"planted_flips.{name}: the pool has no set of this name, but {sorted(self.pool)}")
            if not 0 <= share <= 1:
                raise ValueError(f"planted_flips.{name}={share} is no part of the labels; give 0 to 1")
        return self
