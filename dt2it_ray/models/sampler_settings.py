"""How often, or with what weight, each pair is learned from. Imports no model library."""

from typing import Literal, Self

from pydantic import Field, model_validator

from dt2it_ray.settings import Settings


class SamplerSettings(Settings):
    """Dynamic resampling and hard-sample mining: weights of pairs that follow the errors of the model in training.

    A pair's error is 1 - sigmoid(margin): the probability that the model gives to the wrong answer. The public
    description of DT2IT-MRM names both strategies and no numbers; the defaults here are ours.
    """

    kind: Literal["uniform", "rare_patterns", "hard"] = "uniform"
    """`uniform`: every pair once per epoch, as published. `hard`: pairs that the model gets wrong come more often.
    `rare_patterns`: pairs of rare patterns, and of patterns that the model gets wrong, come more often."""
    act: Literal["draw", "weigh"] = "draw"
    """`draw`: pairs come more or less often. `weigh`: all come as often, and count more or less in the loss."""
    every_steps: int = Field(default=0, ge=0)
    """Weights are made anew after so many steps. 0: at the start of every epoch."""
    measure: Literal["seen", "all"] = "seen"
    """Whence errors come: from the step in which a pair was last learned from, which is free, while a pair not seen yet
    takes the mean of its pattern; or from a forward pass over all pairs whenever weights are made."""
    patterns: tuple[str, ...] = ("source",)
    """What makes the pattern of a pair: columns of the table of pairs, and `longer`, which of its answers has more
    characters."""
    rarity: float = Field(default=0.5, ge=0, le=1)
    """Patterns come as 1 / frequency to this power. 1 makes all equally frequent, 0 leaves them as they are."""
    power: float = Field(default=1.0, gt=0)
    """Errors count to this power: above 1 only the largest do (as in the focal loss, arXiv 1708.02002)."""
    floor: float = Field(default=0.2, gt=0, le=1)
    """What a pair without any error weighs beside one that is all wrong. Low floors learn wrong labels by heart."""
    most: float = Field(default=10.0, ge=1)
    """No pair weighs more than this many times the mean."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        fields = type(self).model_fields.items()
        changed = [f"sampler.{name}" for name, field in fields if getattr(self, name) != field.default]
        if self.kind == "uniform" and changed:
            raise ValueError(f"{', '.join(changed)} do nothing with sampler.kind=uniform")
        if self.kind == "rare_patterns" and not self.patterns:
            raise ValueError("sampler.kind=rare_patterns needs sampler.patterns: columns of the table of pairs")
        return self
