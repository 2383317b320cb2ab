"""One optimizer step of a reward model: encode this worker's pairs, go forward and back, update, measure."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.collate import Encoded, Encoder
from dt2it_ray.models.loss import bradley_terry
from dt2it_ray.models.prefix import prefix_batch
from dt2it_ray.models.schedule import Schedule
from dt2it_ray.models.train_rows import TrainingRows
from dt2it_ray.models.train_settings import TrainSettings

PEAK = "peak_lr"
"""Where a group of the optimizer's parameters has its peak learning rate."""


class Trainer:
    """Runs steps on one worker; all workers run the same steps."""

    def __init__(
        self,
        engine: Any,
        encoder: Encoder,
        rows: TrainingRows,
        schedule: Schedule,
        settings: TrainSettings,
        rank: int,
    ) -> None:
        self.engine, self._encoder, self._rows = engine, encoder, rows
        self._schedule, self._settings, self._rank = schedule, settings, rank
        self._lengths = rows.lengths()
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=np.int64))
        self.refused: list[tuple[str, Dropped]] = []
        """Pairs of the last step that this worker could not encode; they count as a loss of 0."""

    def step(self, step: int, share: float) -> dict[str, Any]:
        """Take a step at a share of the peak learning rates and return its figures, over all workers.

        Raises:
            StageFailed: a reward or the gradient is not finite; on every worker, with the ids of the pairs.
        """
        started = time.perf_counter()
        for group in self.engine.optimizer.param_groups:
            group["lr"] = share * group[PEAK]
        batch = self._schedule.batch(self._order_of(self._schedule.epoch(step)), step)
        weight = float(self._rows.weights[batch].sum())
        self.refused = []
        sums = torch.zeros(5, dtype=torch.float64)
        suspects: list[str] = []
        for number, indices in enumerate(self._schedule.share(batch, self._lengths, self._rank), start=1):
            sums += self._micro_step(indices, weight, suspects)
            if number < self._schedule.micro_batches:
                self.engine.step()
        torch.distributed.all_reduce(sums)
        loss, right, margin, used, broken = sums.tolist()
        if broken:
            self._fail(step, "a reward is not finite", suspects)
        self.engine.step()
        norm = float(self.engine.get_global_grad_norm() or 0.0)
        if not np.isfinite(norm):
            self._fail(step, "the gradient is not finite", self._rows.pair_ids(batch))
        return {
            "epoch": self._schedule.epoch(step),
            "loss": loss / max(weight, 1e-12),
            "accuracy": right / max(used, 1),
            "margin": margin / max(used, 1),
            "learning_rate": share * self._settings.learning_rate,
            "grad_norm": norm,
            "pairs": int(used),
            "pairs_per_s": round(used / (time.perf_counter() - started), 1),
        }

    def _micro_step(self, indices: np.ndarray, weight: float, suspects: list[str]) -> torch.Tensor:
        """Forward and backward of some pairs. Returns sums: loss, pairs right, margins, pairs, broken rewards."""
        groups, weights, names = self._encode(indices)
        if not groups:
            # DeepSpeed's collective calls must be the same on all workers, so a worker without pairs goes along.
            groups, weights = [_blank(self._encoder)], [0.0]
        batch = prefix_batch(groups, self._encoder).to(self.engine.device)
        rewards = self.engine(batch).view(-1, 2)
        chosen, rejected = rewards[:, 0], rewards[:, 1]
        loss = bradley_terry(chosen, rejected, torch.tensor(weights, device=rewards.device))
        # DeepSpeed divides by the micro-batches and averages over the workers; the sum over both is what we want.
        self.engine.backward(loss / max(weight, 1e-12) * self._schedule.micro_batches * self._schedule.world_size)
        margins = (chosen - rejected).detach().double().cpu()[: len(names)]
        broken = ~torch.isfinite(margins)
        suspects += [name for name, bad in zip(names, broken.tolist(), strict=True) if bad]
        figures = [loss.item(), (margins > 0).sum(), margins.sum(), len(names), broken.sum()]
        return torch.tensor([float(figure) for figure in figures], dtype=torch.float64)

    def _encode(self, indices: np.ndarray) -> tuple[list[list[Encoded]], list[float], list[str]]:
        groups, weights, names = [], [], []
        for index in indices.tolist():
            pair = self._rows.pair(index)
            chosen, rejected = self._encoder.encode(pair.chosen), self._encoder.encode(pair.rejected)
            if isinstance(chosen, Dropped) or isinstance(rejected, Dropped):
                self.refused.append((pair.pair_id, chosen if isinstance(chosen, Dropped) else rejected))  # type: ignore[arg-type]
                continue
            groups.append([chosen, rejected])
            weights.append(pair.weight)
            names.append(pair.pair_id)
        return groups, weights, names

    def _order_of(self, epoch: int) -> np.ndarray:
        if self._order[0] != epoch:
            self._order = (epoch, self._rows.order(self._settings.seed, epoch))
        return self._order[1]

    def _fail(self, step: int, what: str, suspects: Sequence[str]) -> None:
        everyone: list[Any] = [None] * self._schedule.world_size
        torch.distributed.all_gather_object(everyone, list(suspects))
        names = sorted({name for part in everyone for name in part})
        shown = f"{', '.join(names[:8])}{' ...' if len(names) > 8 else ''}"
        raise StageFailed(
            f"step {step}: {what}. Pairs: {shown}. Look at these pairs "
            "(dt2it explain PAIR_ID); if they are sound, lower learning_rate or max_grad_norm."
        )


def _blank(encoder: Encoder) -> list[Encoded]:
    ids = np.full(2, encoder.pad_id, dtype=np.int64)
    return [Encoded("", ids, ()), Encoded("", ids, ())]
