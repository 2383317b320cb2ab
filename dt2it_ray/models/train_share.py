"""How a worker's share of the groups of a step becomes forward passes, as many on every worker.

DeepSpeed's collective calls must be the same on all workers: one that has fewer passes makes up for them with padding.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from dt2it_ray.models.token_budget import fill_passes
from dt2it_ray.models.train_figures import most_over_workers
from dt2it_ray.models.train_micro import Micro
from dt2it_ray.models.train_pass import Forward


def in_passes(forward: Forward, share: Sequence[np.ndarray], tokens: int | None) -> Iterator[tuple[Micro, bool]]:
    """What goes forward together, and whether it is the last of the share; all workers call this with as many parts.

    Each part of the share is a pass. With a budget of `tokens` it becomes as many passes as that takes: each group is
    encoded once, and its ids and pixels are kept until its pass is taken. So a worker has one part in memory.
    """
    for number, indices in enumerate(share, start=1):
        micros = [forward.encode(indices)]
        if tokens is not None:
            micros = _within(micros.pop(), tokens, forward.padded)
        while micros:
            micro = micros.pop(0)
            yield micro, not micros and number == len(share)


def _within(micro: Micro, tokens: int, padded: bool) -> list[Micro]:
    made = micro.split(fill_passes(micro.sizes(), tokens, padded))
    return made + [Micro() for _ in range(most_over_workers(len(made)) - len(made))]
