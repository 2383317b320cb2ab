"""Which pairs each step, worker and micro-batch of a training sees, and at what learning rate: plain arithmetic."""

import heapq
import math
from dataclasses import dataclass

import numpy as np

from dt2it_ray.models.train_job import TrainJob


@dataclass(frozen=True)
class Schedule:
    """Steps of a training. A step's pairs depend on the order of its epoch only, never on workers or micro-batches."""

    pairs: int
    epochs: int
    global_batch: int
    micro_batch: int
    world_size: int
    padded: bool = True
    """Whether a forward pass pads its rows, so that those of like length belong together; packed rows have no
    padding, and passes are made equally large."""
    tokens: int | None = None
    """Most tokens of a forward pass. Micro-batches are then what a worker encodes at a time, equally large, and each
    takes as many passes as it needs (`fill_passes`)."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of one pass; the last one may be smaller."""
        return math.ceil(self.pairs / self.global_batch)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.steps_per_epoch * self.epochs

    @property
    def micro_batches(self) -> int:
        """Micro-batches of each worker in every step."""
        return math.ceil(min(self.global_batch, self.pairs) / (self.micro_batch * self.world_size))

    def epoch(self, step: int) -> int:
        """The pass that a step belongs to."""
        return step // self.steps_per_epoch

    def batch(self, order: np.ndarray, step: int) -> np.ndarray:
        """The pairs of a step, over all workers. `order` is the order of the step's epoch."""
        start = step % self.steps_per_epoch * self.global_batch
        return order[start : start + self.global_batch]

    def share(self, batch: np.ndarray, lengths: np.ndarray, rank: int) -> list[np.ndarray]:
        """One worker's micro-batches (`micro_batches` of them, some may be empty), about equally long in all, or of
        pairs of like length where passes are padded."""
        parts = self.micro_batches * self.world_size
        if self.padded and self.tokens is None:
            dealt = np.array_split(batch[np.argsort(lengths[batch], kind="stable")], parts)
        else:
            dealt = _deal_evenly(batch, lengths, parts, self.micro_batch)
        return dealt[rank :: self.world_size]


def new_schedule(job: TrainJob, groups: int, world_size: int, padded: bool = True) -> Schedule:
    """The schedule of a job over so many groups. With a budget of tokens a worker's share of a step is one
    micro-batch."""
    batch, micro = job.settings.global_batch_pairs, job.micro_batch_pairs
    if job.micro_batch_tokens is not None:
        micro = math.ceil(batch / world_size)
    return Schedule(groups, job.settings.epochs, batch, micro, world_size, padded, job.micro_batch_tokens)


def _deal_evenly(batch: np.ndarray, lengths: np.ndarray, parts: int, most: int) -> list[np.ndarray]:
    """So many parts of at most `most` each: the longest first, each to the part that is shortest so far."""
    dealt: list[list[int]] = [[] for _ in range(parts)]
    sizes = [(0, part) for part in range(parts)]
    for index in batch[np.argsort(-lengths[batch], kind="stable")].tolist():
        size, part = heapq.heappop(sizes)
        dealt[part].append(index)
        if len(dealt[part]) < most:
            heapq.heappush(sizes, (size + int(lengths[index]), part))
    return [np.array(part, dtype=np.int64) for part in dealt]


def share_of_peak(step: int, steps: int, warmup: float) -> float:
    """A step's learning rate as part of its peak: linear warm-up over a share of the steps, then a cosine down to 0
    after the last one."""
    rising = math.ceil(steps * warmup)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
