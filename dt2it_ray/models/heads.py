"""Which layers turn a pooled vector into a reward, how they are drawn, and under which names a folder keeps them."""

import torch
from torch import nn

from dt2it_ray.errors import StoreError
from dt2it_ray.models.reward_heads import HEAD, stored_head, stored_tensor
from dt2it_ray.models.reward_settings import ReadoutSettings

INNER = {"silu": nn.SiLU, "tanh": nn.Tanh}


def build_head(settings: ReadoutSettings, width: int, dtype: torch.dtype) -> nn.Module:
    """Layers from [N, width] to [N, 1]. The last has no bias: it would cancel in every pair and never be learned."""
    if settings.head == "linear":
        return nn.Linear(width, 1, bias=False, dtype=dtype)
    inner = settings.head_width or width
    first, last = nn.Linear(width, inner, dtype=dtype), nn.Linear(inner, 1, bias=False, dtype=dtype)
    return nn.Sequential(first, INNER[settings.head](), last)


def draw_weights(layers: nn.Module, seed: int) -> None:
    """Fill new layers: rewards then have a variance of the order of 1 (as in arXiv 2009.01325), biases are 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in layers.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) / (weight.shape[1] + 1) ** 0.5)
            else:
                weight.zero_()


def load_weights(layers: nn.Module, folder: str) -> bool:
    """Fill `layers`, named as in the folder, from its files; False where it has none of them.

    Raises:
        StoreError: a file is damaged, or the folder's head is of another kind or shape.
    """
    wanted = dict(layers.named_parameters())
    found = {name: stored_head(folder) if name == HEAD else stored_tensor(folder, name) for name in wanted}
    there = {name: weight for name, weight in found.items() if weight is not None}
    if not there:
        return False
    for name, weight in wanted.items():
        if name not in there or there[name].shape != weight.shape:
            shape = tuple(there[name].shape) if name in there else "missing"
            raise StoreError(
                f"the reward head in {folder} does not fit the settings: {name} is {shape}, not {tuple(weight.shape)}. "
                "Give head, head_width and fusion that the model was trained with, or start from its backbone."
            )
    with torch.no_grad():
        for name, weight in wanted.items():
            weight.copy_(there[name])
    return True
