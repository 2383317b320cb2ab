"""How a text model learns through low-rank adapters, and how these become part of its weights when it is saved."""

from typing import Any

import torch

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.reward_settings import ModelSettings

WRAPPED, ADAPTERS = ".base_layer", ".lora_"
"""In names of weights: peft keeps a layer with an adapter inside another."""


def add_adapters(backbone: Any, settings: ModelSettings, seed: int) -> None:
    """Put the adapters of `settings.lora` into the text model, which changes nothing yet; all else in it is frozen.

    Raises:
        ConfigError: peft is missing, or the model has no layer of these names.
    """
    lora, text = settings.lora, getattr(backbone, "language_model", backbone)
    if lora is None:
        return
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise ConfigError("train.model.lora needs peft: pip install 'dt2it_ray[lora]'") from None
    names = [
        f"layers.{number}.{name}"
        for number, layer in enumerate(text.layers)
        for name, _ in layer.named_modules()
        if number >= settings.freeze_layers and name.split(".")[-1] in lora.targets
    ]
    missing = sorted(set(lora.targets) - {name.split(".")[-1] for name in names})
    if missing:
        raise ConfigError(
            f"train.model.lora.targets: the {len(text.layers) - settings.freeze_layers} layers of the text model that "
            f"are not frozen have no {', '.join(missing)}; name the last part of their matrices' names"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=names), text)


def merged_weights(backbone: Any) -> dict[str, torch.Tensor]:
    """The backbone's weights by their own names, what its adapters add included. The model stays as it is."""
    weights = {
        name.replace(WRAPPED, ""): weight for name, weight in backbone.state_dict().items() if ADAPTERS not in name
    }
    for name, layer in backbone.named_modules():
        if hasattr(layer, "get_delta_weight"):
            weights[f"{name}.weight"] = weights[f"{name}.weight"] + layer.get_delta_weight("default")
    return weights
