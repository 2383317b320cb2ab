"""How the tiny model's weights are changed: Muon for matrices, AdamW for the rest, one schedule for both."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from pydantic import Field

from dt2it_ray.settings import Settings

FLOOR = 0.05
"""Learning rate of the last step, as part of the peak."""


class Rates(Settings):
    """How fast the model learns."""

    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak of AdamW on embeddings, norms and biases."""
    matrix_learning_rate: float = Field(default=2e-3, gt=0)
    """Peak of Muon on all other matrices, on AdamW's scale (arXiv 2502.16982)."""
    warmup: float = Field(default=0.03, ge=0, lt=1)
    """Part of the steps over which the rates rise; then they fall to `FLOOR` by a cosine."""
    weight_decay: float = Field(default=0.05, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)

    def share_of_peak(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0, as part of its peak."""
        rising = max(1, round(self.warmup * steps))
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(1, steps - rising)
        return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * done)) / 2


class Optimizer:
    """Both optimizers of a module as one."""

    def __init__(self, module: torch.nn.Module, embeddings: Iterable[torch.Tensor], rates: Rates, steps: int) -> None:
        """`embeddings` are matrices that Muon must leave alone; norms and biases do not decay."""
        self.rates, self.steps = rates, steps
        self.trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self.parts = _parts(self.trained, {id(table) for table in embeddings}, rates)

    def step(self, step: int) -> None:
        """Clip the gradients, change the weights at the rate of the step, and clear the gradients."""
        torch.nn.utils.clip_grad_norm_(self.trained, self.rates.max_grad_norm)
        share = self.rates.share_of_peak(step, self.steps)
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = group["peak"] * share
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """The state of each part."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: Sequence[dict[str, Any]]) -> None:
        """Go on from what `state_dict` gave."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def _parts(trained: Sequence[torch.Tensor], embeddings: set[int], rates: Rates) -> list[torch.optim.Optimizer]:
    matrices = [tensor for tensor in trained if tensor.ndim == 2 and id(tensor) not in embeddings]
    others = [tensor for tensor in trained if tensor.ndim > 2 or id(tensor) in embeddings]
    vectors = [tensor for tensor in trained if tensor.ndim < 2]
    decay, rate = rates.weight_decay, rates.learning_rate
    muon = torch.optim.Muon(
        [{"params": matrices, "peak": rates.matrix_learning_rate}],
        weight_decay=decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(
        [
            {"params": others, "peak": rate, "weight_decay": decay},
            {"params": vectors, "peak": rate, "weight_decay": 0.0},
        ],
        betas=(0.9, 0.95),
        fused=True,
    )
    return [muon, adam]
