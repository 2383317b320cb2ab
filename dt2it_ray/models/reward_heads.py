"""Where checkpoints keep the linear layer that turns a hidden state into a reward, under the names of several tools."""

from pathlib import Path

import torch

from dt2it_ray.errors import StoreError

HEAD = "score.weight"
"""Of transformers' sequence classification, and ours."""
VALUE_HEAD = "v_head.summary.weight"
"""Of TRL's value head, which LLaMA-Factory writes too, in a file of its own (value_head.safetensors)."""
INNER_HEAD = "language_model.score.weight"
"""Of a text model inside another, where vLLM looks for that of some models that see images."""
HEADS = (HEAD, VALUE_HEAD, INNER_HEAD)


def stored_head(folder: str) -> torch.Tensor | None:
    """The weight [1, H] of a folder's reward head, by the first name of `HEADS` that a file has; None without any.

    Raises:
        StoreError: a file is damaged, or the head has another shape.
    """
    for name in HEADS:
        weight = stored_tensor(folder, name)
        if weight is not None:
            if weight.ndim != 2 or weight.shape[0] != 1:
                raise StoreError(
                    f"{name} in {folder} is of shape {tuple(weight.shape)}, not [1, H]: it gives no reward"
                )
            return weight
    return None


def stored_bias(folder: str) -> float:
    """The number that a folder's head adds to every reward; 0 where it has none."""
    for name in HEADS:
        bias = stored_tensor(folder, bias_of(name))
        if bias is not None:
            return float(bias)
    return 0.0


def bias_of(head: str) -> str:
    """The name of a head's bias by that of its weight."""
    return f"{head.removesuffix('weight')}bias"


def stored_tensor(folder: str, name: str) -> torch.Tensor | None:
    """A tensor of a folder's safetensors files by its full name. Raises StoreError for a damaged file."""
    from safetensors import SafetensorError, safe_open

    for path in sorted(Path(folder).glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as tensors:
                if name in tensors.keys():  # noqa: SIM118 - not a dict
                    return tensors.get_tensor(name)
        except SafetensorError as error:
            raise StoreError(f"{path} is damaged: {error}") from None
    return None
