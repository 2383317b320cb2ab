"""How a model in training does on held-out pairs, which evaluation was the best, and when there is nothing to gain."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.evaluation_settings import EvaluationSettings
from dt2it_ray.models.schedule import Schedule
from dt2it_ray.models.train_figures import add, from_workers, means_of, over_workers
from dt2it_ray.models.train_log import EVALUATED
from dt2it_ray.models.train_pass import Forward, Pass, fail_of_pairs
from dt2it_ray.models.train_share import in_passes


class Evaluator:
    """Measures the model on held-out pairs, shared out over the workers; all of them measure at the same steps."""

    def __init__(self, passes: Forward, schedule: Schedule, rank: int) -> None:
        """`schedule` tells the micro-batches and the workers."""
        self._passes, self._groups, self._rank = passes, passes.groups, rank
        pairs = len(self._groups)
        self._schedule = replace(schedule, pairs=pairs, epochs=1, global_batch=pairs)
        self.refused: list[tuple[str, Dropped]] = []
        """Pairs of the last evaluation that this worker could not encode."""

    def measure(self, step: int) -> dict[str, Any]:
        """The figures of the pairs as in training, by `EVALUATED`, over all workers, after a step; with the number of
        those that could not be encoded, if there are any.

        Raises:
            StageFailed: a reward is not finite; on every worker, with the ids of the pairs.
        """
        sums: dict[str, float] = {}
        taken = self._everything()
        for each in taken:
            add(sums, each.sums)
        self.refused = [refusal for each in taken for refusal in each.refused]
        sums = over_workers(sums)
        if sums["broken"]:
            suspects = [name for each in taken for name in each.suspects]
            fail_of_pairs(f"evaluation after step {step}: a reward or a loss is not finite", suspects)
        lost = from_workers(self.refused)
        means = means_of(sums, float(self._groups.weights.sum()))
        told = {**means, "pairs": int(sums["pairs"]), **({"refused": len(lost)} if lost else {})}
        return {f"{EVALUATED}{name}": figure for name, figure in told.items()}

    def errors(self) -> list[tuple[int, float]]:
        """Of all groups by number, see `Pass.errors`; the same on all workers."""
        return from_workers([error for each in self._everything() for error in each.errors])

    def _everything(self) -> list[Pass]:
        """A pass over each of this worker's micro-batches, without what a backward pass would need."""
        everything, lengths = np.arange(len(self._groups)), self._groups.lengths()
        self._passes.engine.eval()
        with torch.no_grad():
            share = self._schedule.share(everything, lengths, self._rank)
            taken = [self._passes.run(micro) for micro, _ in in_passes(self._passes, share, self._schedule.tokens)]
        self._passes.engine.train()
        return taken


@dataclass
class Standing:
    """What the evaluations of a training came to so far. Goes through checkpoints."""

    settings: EvaluationSettings
    best: float = math.nan
    """The best value of the metric."""
    best_step: int = -1
    """The step after which it was measured; -1: none was."""
    worse_in_a_row: int = 0
    """Evaluations since then."""

    def take(self, step: int, figures: Mapping[str, Any]) -> bool:
        """Take the figures of an evaluation after a step; whether they are the best so far."""
        value = float(figures[EVALUATED + self.settings.metric])
        better = value < self.best if self.settings.metric == "loss" else value > self.best
        if self.best_step < 0 or better:
            self.best, self.best_step, self.worse_in_a_row = value, step, 0
            return True
        self.worse_in_a_row += 1
        return False

    @property
    def hopeless(self) -> bool:
        """Whether training is to end."""
        return self.settings.patience is not None and self.worse_in_a_row >= self.settings.patience

    def state(self) -> dict[str, Any]:
        """What `restore` takes."""
        return {"best": self.best, "best_step": self.best_step, "worse_in_a_row": self.worse_in_a_row}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.best, self.best_step = float(state["best"]), int(state["best_step"])
        self.worse_in_a_row = int(state["worse_in_a_row"])


def is_due(settings: EvaluationSettings, steps_done: int, schedule: Schedule) -> bool:
    """Whether to evaluate when so many steps are done."""
    every = settings.every_steps or schedule.steps_per_epoch
    return steps_done % every == 0 or steps_done == schedule.steps
