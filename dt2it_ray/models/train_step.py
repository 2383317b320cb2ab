"""One optimizer step of a reward model: encode this worker's pairs, go forward and back, update, measure."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.distributed

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.collate import Encoded, Encoder
from dt2it_ray.models.loss import losses
from dt2it_ray.models.prefix import prefix_batch, row_length
from dt2it_ray.models.schedule import Schedule
from dt2it_ray.models.train_figures import add, by_group, figures, means_of, over_workers
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_settings import TrainSettings

PEAK = "peak_lr"
"""Where a group of the optimizer's parameters has its peak learning rate."""


@dataclass
class _Micro:
    """The pairs of one forward pass that could be encoded."""

    groups: list[list[Encoded]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    strengths: list[float] = field(default_factory=list)
    names: list[list[str]] = field(default_factory=list)

    def add(self, group: list[Encoded], weight: float, strength: float) -> None:
        self.groups.append(group)
        self.weights.append(weight)
        self.strengths.append(strength)


class Trainer:
    """Runs steps on one worker; all workers run the same steps."""

    def __init__(
        self,
        engine: Any,
        encoder: Encoder,
        rows: TrainingGroups,
        schedule: Schedule,
        settings: TrainSettings,
        rank: int,
    ) -> None:
        self.engine, self._encoder, self._rows = engine, encoder, rows
        self._schedule, self._settings, self._rank = schedule, settings, rank
        self._lengths = rows.lengths()
        self._focused = settings.loss.shortcut.normalise == "last_mean_1"
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
        sums: dict[str, float] = {}
        suspects: list[str] = []
        for number, indices in enumerate(self._schedule.share(batch, self._lengths, self._rank), start=1):
            add(sums, self._micro_step(indices, weight, suspects))
            if number < self._schedule.micro_batches:
                self.engine.step()
        sums = over_workers(sums)
        if sums["broken"]:
            self._fail(step, "a reward or a loss is not finite", suspects)
        self.engine.step()
        norm = float(self.engine.get_global_grad_norm() or 0.0)
        if not np.isfinite(norm):
            self._fail(step, "the gradient is not finite", self._rows.pair_ids(batch))
        means = means_of(sums, weight)
        if self._focused:
            self.engine.module.remember(means["shortcut_failure"])
        rate, seconds = share * self._settings.learning_rate, time.perf_counter() - started
        return {
            "epoch": self._schedule.epoch(step),
            **means,
            "learning_rate": rate,
            "grad_norm": norm,
            "pairs": int(sums["pairs"]),
            "pairs_per_s": round(sums["pairs"] / seconds, 1),
            "tokens": int(sums["tokens"]),
            "tokens_per_s": round(sums["tokens"] / seconds, 1),
        }

    def _micro_step(self, indices: np.ndarray, weight: float, suspects: list[str]) -> dict[str, float]:
        """Forward and backward of some pairs. Returns sums over them, see `means_of`."""
        micro = self._encode(indices)
        if not micro.groups:
            # DeepSpeed's collective calls must be the same on all workers, so a worker without pairs goes along.
            micro.add(_blank(self._encoder), 0.0, np.nan)
        batch = prefix_batch(micro.groups, self._encoder).to(self.engine.device)
        sizes = [len(group) for group in micro.groups]
        rewards, *proxy = (by_group(each, sizes) for each in self.engine(batch).view(-1, sum(sizes)))
        strengths, weights = (torch.tensor(each, device=rewards.device) for each in (micro.strengths, micro.weights))
        costs = losses(rewards, strengths, self._settings.loss, *proxy, usual_focus=self._usual_focus())
        loss = (costs.total * weights).sum()
        # DeepSpeed divides by the micro-batches and averages over the workers; the sum over both is what we want.
        self.engine.backward(loss / max(weight, 1e-12) * self._schedule.micro_batches * self._schedule.world_size)
        terms = {f"loss_{name}": float((term * weights).sum()) for name, term in costs.terms.items()}
        used = len(micro.names)
        tokens = sum(row_length(group) for group in micro.groups[:used])
        return {"loss": loss.item(), **terms, **figures(rewards, proxy, costs, micro.names, suspects), "tokens": tokens}

    def _usual_focus(self) -> torch.Tensor | float:
        return self.engine.module.focus.float() if self._focused else 1.0

    def _encode(self, indices: np.ndarray) -> _Micro:
        micro = _Micro()
        for index in indices.tolist():
            pairs = self._rows.pairs(index)
            chosen, names = self._encoder.encode(pairs[0].chosen), []
            group: list[Encoded] = []
            for pair in pairs:
                rejected = self._encoder.encode(pair.rejected)
                if isinstance(chosen, Dropped) or isinstance(rejected, Dropped):
                    refusal = chosen if isinstance(chosen, Dropped) else rejected
                    self.refused.append((pair.pair_id, refusal))  # type: ignore[arg-type]
                    continue
                group += [rejected] if group else [chosen, rejected]
                names.append(pair.pair_id)
            if group:
                micro.add(group, float(self._rows.weights[index]), pairs[0].strength)
                micro.names.append(names)
        return micro

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
