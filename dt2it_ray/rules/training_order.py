"""Which pairs a training step sees: a function of the seed, the epoch and the step, and of nothing else."""

import functools
from collections.abc import Sequence

from dt2it_ray.data.ids import content_id
from dt2it_ray.errors import ConfigError


def epoch_order(pair_ids: Sequence[str], seed: int, epoch: int) -> list[str]:
    """The pairs shuffled for one epoch, whatever order they come in."""
    return sorted(pair_ids, key=lambda pair: (content_id("order", seed, epoch, pair), pair))


class TrainingOrder:
    """The batches of a whole training by global step, the same for any number of processes.

    Every batch has exactly `batch_pairs` pairs: the last few pairs of an epoch that fill no batch wait for the next
    epoch, whose shuffle leaves out others.
    """

    def __init__(self, pair_ids: Sequence[str], seed: int, batch_pairs: int) -> None:
        if not 0 < batch_pairs <= len(pair_ids):
            raise ConfigError(f"a batch of {batch_pairs} pairs cannot be filled from {len(pair_ids)} training pairs")
        self.batch_pairs = batch_pairs
        self.steps_per_epoch = len(pair_ids) // batch_pairs
        ids = tuple(pair_ids)
        self._order_of = functools.lru_cache(maxsize=1)(lambda epoch: epoch_order(ids, seed, epoch))

    def batch_at(self, step: int) -> list[str]:
        """The pairs of global step `step`, counted from 0 over all epochs."""
        epoch, place = divmod(step, self.steps_per_epoch)
        return self._order_of(epoch)[place * self.batch_pairs : (place + 1) * self.batch_pairs]

    def slice_at(self, step: int, rank: int, world_size: int) -> list[str]:
        """The part of the batch that one of `world_size` processes computes; the parts in rank order are the batch."""
        share, rest = divmod(self.batch_pairs, world_size)
        if rest:
            raise ConfigError(
                f"a batch of {self.batch_pairs} pairs cannot be cut into {world_size} equal parts; "
                "choose a batch size that is a multiple of the number of training workers"
            )
        return self.batch_at(step)[rank * share : (rank + 1) * share]
