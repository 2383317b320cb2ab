"""How far a pre-training is, on disk, so that one that was stopped goes on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.tiny.optimizers import Optimizer


class Progress(NamedTuple):
    """How far a training is."""

    step: int
    """Steps taken."""
    loss: float
    """Smoothed over about 50 steps."""
    seconds: float
    """Spent, without the time in which it was stopped."""


def save_state(
    state: Path, identity: Mapping[str, Any], pupil: torch.nn.Module, optimizer: Optimizer, done: Progress
) -> None:
    """Replace the file `state`. `identity` says by plain values which training it is."""
    draft = state.with_suffix(".draft")
    told = {"identity": dict(identity), "done": tuple(done), "pupil": pupil.state_dict()}
    torch.save(told | {"optimizer": optimizer.state_dict()}, draft)
    draft.replace(state)


def resume(state: Path, identity: Mapping[str, Any], pupil: torch.nn.Module, optimizer: Optimizer) -> Progress | None:
    """How far the training was, with the pupil and the optimizer as they were; None to start.

    Raises:
        ConfigError: the state was left by another training; names what differs.
    """
    if not state.exists():
        return None
    told = torch.load(state, weights_only=True)
    before = told.get("identity", {})
    if differing := [name for name, value in identity.items() if before.get(name) != value]:
        raise ConfigError(
            f"{state} was left by a training with other {' and '.join(differing)}; delete it, or go back to those"
        )
    pupil.load_state_dict(told["pupil"])
    optimizer.load_state_dict(told["optimizer"])
    return Progress(*told["done"])
