"""What a forward pass of a language model in its fine-tuning gives: the losses of some answers and what is counted."""

from typing import Any

import numpy as np
import torch

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.collate import Encoded, Encoder
from dt2it_ray.models.prefix import prefix_batch
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_micro import Micro
from dt2it_ray.models.train_pass import Pass


class AnswerPasses:
    """Goes forward over chosen answers by number, on one worker. The pairs of a group are one answer."""

    def __init__(self, engine: Any, encoder: Encoder, groups: TrainingGroups) -> None:
        self.engine, self.groups, self._encoder = engine, groups, encoder
        self.padded = True

    def encode(self, indices: np.ndarray) -> Micro:
        """Some chosen answers as tokens and pixels."""
        micro = Micro()
        for index in indices.tolist():
            pairs = self.groups.pairs(index)
            answer = self._encoder.encode(pairs[0].chosen)
            if isinstance(answer, Dropped):
                micro.refused += [(pair.pair_id, answer) for pair in pairs]
                continue
            micro.add([answer], float(self.groups.weights[index]), np.nan, [])
            micro.names.append([pair.pair_id for pair in pairs])
            micro.indices.append(index)
        return micro

    def run(self, micro: Micro) -> Pass:
        """The mean loss of each answer's tokens, weighted."""
        names, weights = micro.names, micro.weights
        # DeepSpeed's collective calls must be the same on all workers, so a worker without answers goes along.
        blank = Encoded("", np.full(2, self._encoder.pad_id, dtype=np.int64), (), start=1)
        batch = prefix_batch(micro.groups or [[blank]], self._encoder).to(self.engine.device)
        told = self.engine(batch)
        weight = torch.tensor(weights or [0.0], dtype=told.sums.dtype, device=told.sums.device)
        costs = told.sums / told.tokens.clamp(min=1)
        loss, broken = (costs * weight).sum(), ~torch.isfinite(costs)
        counted = {
            "loss": loss.item(),
            # Figures are told per pair.
            "accuracy": _per_pair((told.right == told.tokens).tolist(), names),
            "token_accuracy": _per_pair((told.right / told.tokens.clamp(min=1)).tolist(), names),
            "pairs": sum(len(group) for group in names),
            "broken": _per_pair(broken.tolist(), names),
            "tokens": sum(len(answer.ids) for (answer,) in micro.groups),
        }
        suspects = [name for group, bad in zip(names, broken.tolist(), strict=False) if bad for name in group]
        return Pass(loss, counted, suspects, micro.refused)


def _per_pair(figures: list[float], names: list[list[str]]) -> float:
    """The sum over pairs of a figure of each answer."""
    return float(sum(figure * len(group) for figure, group in zip(figures, names, strict=False)))
