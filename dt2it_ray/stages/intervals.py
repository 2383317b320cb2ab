"""How intervals are set, for every stage whose figures have them."""

from pydantic import Field

from dt2it_ray.rules.intervals import Resampling
from dt2it_ray.settings import Settings


class IntervalSettings(Settings):
    """Intervals over prompts drawn again with replacement."""

    level: float = Field(default=0.95, gt=0, lt=1)
    """Coverage."""
    samples: int = Field(default=1000, ge=100, le=10_000)
    """Bootstrap samples. With 1,000, the ends of an interval scatter by a few percent of its width."""
    seed: int = 0
    min_prompts: int = Field(default=10, ge=2)
    """A figure of fewer prompts has no interval."""

    def resampling(self) -> Resampling:
        """The same as plain values."""
        return Resampling(samples=self.samples, level=self.level, seed=self.seed, min_prompts=self.min_prompts)
