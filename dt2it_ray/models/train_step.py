"""One optimizer step of a reward model: this worker's pairs go forward and back, then update and measure."""

import time
from typing import Any

import numpy as np

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.flops import Meter
from dt2it_ray.models.sampler import Sampler
from dt2it_ray.models.schedule import Schedule
from dt2it_ray.models.train_engine import PEAK
from dt2it_ray.models.train_figures import add, from_workers, means_of, over_workers
from dt2it_ray.models.train_pass import Forward, fail_of_pairs
from dt2it_ray.models.train_settings import TrainSettings


class Trainer:
    """Runs steps on one worker; all workers run the same steps."""

    def __init__(
        self, passes: Forward, schedule: Schedule, settings: TrainSettings, rank: int, meter: Meter | None = None
    ) -> None:
        self.engine, self._passes, self._groups = passes.engine, passes, passes.groups
        self._schedule, self._settings, self._rank, self._meter = schedule, settings, rank, meter
        self._lengths = self._groups.lengths()
        self._focused = settings.loss.shortcut.normalise == "last_mean_1"
        self.sampler = Sampler(self._groups, settings.sampler, schedule, settings.seed)
        self.refused: list[tuple[str, Dropped]] = []
        """Pairs of the last step that this worker could not encode; they count as a loss of 0."""
        self._errors: list[tuple[int, float]] = []

    def step(self, step: int, share: float) -> dict[str, Any]:
        """Take a step at a share of the peak learning rates and return its figures, over all workers.

        Raises:
            StageFailed: a reward or the gradient is not finite; on every worker, with the ids of the pairs.
        """
        started = time.perf_counter()
        for group in self.engine.optimizer.param_groups:
            group["lr"] = share * group[PEAK]
        batch = self.sampler.batch(step)
        weight = float(self._groups.weights[batch].sum())
        self.refused, self._errors = [], []
        sums: dict[str, float] = {}
        suspects: list[str] = []
        for number, indices in enumerate(self._schedule.share(batch, self._lengths, self._rank), start=1):
            add(sums, self._backward(indices, weight, suspects))
            if number < self._schedule.micro_batches:
                self.engine.step()
        sums = over_workers(sums)
        if self.sampler.listens:
            self.sampler.hear(from_workers(self._errors))
        if sums["broken"]:
            fail_of_pairs(f"step {step}: a reward or a loss is not finite", suspects)
        self.engine.step()
        norm = float(self.engine.get_global_grad_norm() or 0.0)
        if not np.isfinite(norm):
            fail_of_pairs(f"step {step}: the gradient is not finite", self._groups.pair_ids(batch))
        means = means_of(sums, weight)
        if self._focused:
            self.engine.module.remember(means["shortcut_failure"])
        rate, seconds = share * self._settings.learning_rate, time.perf_counter() - started
        return {
            "epoch": self._schedule.epoch(step),
            **means,
            "learning_rate": rate,
            "grad_norm": norm,
            "workers": self._schedule.world_size,
            "pairs": int(sums["pairs"]),
            "pairs_per_s": round(sums["pairs"] / seconds, 1),
            "tokens": int(sums["tokens"]),
            "tokens_per_s": round(sums["tokens"] / seconds, 1),
            **(self._meter.figures(sums, seconds) if self._meter else {}),
        }

    def _backward(self, indices: np.ndarray, weight: float, suspects: list[str]) -> dict[str, float]:
        """Forward and backward of some groups. Returns sums over them, see `means_of`."""
        taken = self._passes.run(indices)
        # DeepSpeed divides by the micro-batches and averages over the workers; the sum over both is what we want.
        scale = self._schedule.micro_batches * self._schedule.world_size
        self.engine.backward(taken.loss / max(weight, 1e-12) * scale)
        suspects += taken.suspects
        self.refused += taken.refused
        self._errors += taken.errors
        return taken.sums
