"""One optimizer step of a reward model: this worker's pairs go forward and back, then update and measure."""

import time
from typing import Any

import numpy as np

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.flops import Meter
from dt2it_ray.models.sampler import Sampler
from dt2it_ray.models.schedule import Schedule
from dt2it_ray.models.train_engine import PEAK, update
from dt2it_ray.models.train_figures import add, from_workers, means_of, over_workers
from dt2it_ray.models.train_pass import Forward, fail_of_pairs
from dt2it_ray.models.train_settings import TrainSettings
from dt2it_ray.models.train_share import in_passes


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
        passes = self._backward(batch, weight, sums, suspects)
        sums = over_workers(sums)
        if self.sampler.listens:
            self.sampler.hear(from_workers(self._errors))
        if sums["broken"]:
            fail_of_pairs(f"step {step}: a reward or a loss is not finite", suspects)
        norm = update(self.engine)
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
            **({} if self._schedule.tokens is None else {"passes": passes}),
            "pairs": int(sums["pairs"]),
            "pairs_per_s": round(sums["pairs"] / seconds, 1),
            "tokens": int(sums["tokens"]),
            "tokens_per_s": round(sums["tokens"] / seconds, 1),
            **(self._meter.figures(sums, seconds) if self._meter else {}),
        }

    def _backward(self, batch: np.ndarray, weight: float, sums: dict[str, float], suspects: list[str]) -> int:
        """Forward and backward of this worker's groups of a step, in so many passes. Adds to the sums over them, see
        `means_of`, and to the pairs without a finite reward."""
        passes, tokens = 0, self._schedule.tokens
        # DeepSpeed divides by the micro-batches that it was told of, whatever the passes, and averages over the
        # workers; the sum over both is what we want.
        scale = self._schedule.micro_batches * self._schedule.world_size
        for micro, is_last in in_passes(self._passes, self._schedule.share(batch, self._lengths, self._rank), tokens):
            # DeepSpeed's own count is of micro-batches.
            self.engine.set_gradient_accumulation_boundary(is_last)
            taken = self._passes.run(micro)
            self.engine.backward(taken.loss / max(weight, 1e-12) * scale)
            add(sums, taken.sums)
            suspects += taken.suspects
            self.refused += taken.refused
            self._errors += taken.errors
            passes += 1
        return passes
