"""What a forward pass of a language model in its fine-tuning gives: the losses of some answers and what is counted."""

from typing import Any

import numpy as np
import torch

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.models.collate import Encoded, Encoder
from dt2it_ray.models.prefix import prefix_batch
from dt2it_ray.models.train_groups import TrainingGroups
from dt2it_ray.models.train_pass import Pass


class AnswerPasses:
    """Goes forward over chosen answers by number, on one worker. The pairs of a group are one answer."""

    def __init__(self, engine: Any, encoder: Encoder, groups: TrainingGroups) -> None:
        self.engine, self.groups, self._encoder = engine, groups, encoder

    def run(self, indices: np.ndarray) -> Pass:
        """The mean loss of each answer's tokens, weighted."""
        answers: list[Encoded] = []
        weights: list[float] = []
        names: list[list[str]] = []
        refused: list[tuple[str, Dropped]] = []
        for index in indices.tolist():
            pairs = self.groups.pairs(index)
            answer = self._encoder.encode(pairs[0].chosen)
            if isinstance(answer, Dropped):
                refused += [(pair.pair_id, answer) for pair in pairs]
                continue
            answers.append(answer)
            weights.append(float(self.groups.weights[index]))
            names.append([pair.pair_id for pair in pairs])
        # DeepSpeed's collective calls must be the same on all workers, so a worker without answers goes along.
        shown = answers or [Encoded("", np.full(2, self._encoder.pad_id, dtype=np.int64), (), start=1)]
        batch = prefix_batch([[answer] for answer in shown], self._encoder).to(self.engine.device)
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
            "tokens": sum(len(answer.ids) for answer in answers),
        }
        suspects = [name for group, bad in zip(names, broken.tolist(), strict=False) if bad for name in group]
        return Pass(loss, counted, suspects, refused)


def _per_pair(figures: list[float], names: list[list[str]]) -> float:
    """The sum over pairs of a figure of each answer."""
    return float(sum(figure * len(group) for figure, group in zip(figures, names, strict=False)))
