"""Which pairs a training is measured on while it runs, and what it makes of the figures. Imports no model library."""

from typing import Literal

from pydantic import Field

from dt2it_ray.settings import Settings


class EvaluationSettings(Settings):
    """Accuracy, margin and loss on pairs that are not trained on. Off unless there are held-out pairs: a share of
    those given, or a table of their own.

    The order of pairs is that of a training on the others alone: evaluating changes no weight, but stopping early or
    keeping the best model does.
    """

    held_out: float = Field(default=0.0, ge=0, lt=1)
    """Share of the prompts whose pairs are kept from training. A prompt is drawn by its content and the seed, so that
    it stays held out when pairs are added. 0: none, as in arXiv 2604.19544, which measures on benchmarks only."""
    every_steps: int = Field(default=0, ge=0)
    """Evaluate after this many steps, and after the last one. 0: at the end of every epoch."""
    metric: Literal["accuracy", "margin", "loss"] = "loss"
    """What tells a better model from a worse one. The loss, as accuracy moves in steps of one pair."""
    patience: int | None = Field(default=None, ge=1)
    """Training ends when this many evaluations in a row were no better than the best one. None: it never does. The
    learning rate falls as if it went on."""
    keep: Literal["last", "best"] = "last"
    """Which model is the finished one: that of the last step, or of the best evaluation (the earliest of equals)."""

    @property
    def decides(self) -> bool:
        """Whether evaluations change the finished model."""
        return self.patience is not None or self.keep == "best"
