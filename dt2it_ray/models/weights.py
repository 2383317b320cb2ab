"""How a checkpoint folder is opened, which backbones we know, and which precision they compute in."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.checkpoint_files import check_loaded

GENERATORS = ("qwen3_vl",)
"""Values of `model_type` in config.json that generate answers with images here."""
VISION_LANGUAGE = ("qwen2_5_vl", "qwen3_vl")
"""Those whose positions and image features we know how to compute."""
SHARING = (*VISION_LANGUAGE, "llama", "qwen2", "qwen3")
"""Those whose attention takes a mask of our own, which rows of answers that share a prompt need."""

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}


def load_backbone(folder: str, dtype: str) -> Any:
    """The model of a folder without its language head, in evaluation mode, on the CPU: one of `VISION_LANGUAGE`, or
    any text model.

    Raises:
        StoreError: a file is missing, images are seen in a way we do not know, or weights are missing or do not fit.
    """
    from transformers import AutoModel

    _known_config(folder)
    return _load(AutoModel, folder, dtype)


def load_causal_model(folder: str, dtype: str) -> Any:
    """The same with its language head. Raises as above."""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    sees = _known_config(folder).model_type in VISION_LANGUAGE
    return _load(AutoModelForImageTextToText if sees else AutoModelForCausalLM, folder, dtype)


def _known_config(folder: str) -> Any:
    config = read_model_config(folder)
    if config.get_text_config() is not config and config.model_type not in VISION_LANGUAGE:
        raise StoreError(
            f"{folder} holds a {config.model_type} model; supported backbones: {', '.join(VISION_LANGUAGE)}, "
            "and models of text alone"
        )
    return config


def load_language_model(folder: str, dtype: str) -> Any:
    """The vision-language model of a folder with its language head, in evaluation mode, on the CPU. Raises as above."""
    from transformers import AutoModelForImageTextToText

    check_generates(read_model_config(folder).model_type, folder)
    return _load(AutoModelForImageTextToText, folder, dtype)


def check_generates(kind: str, folder: str) -> None:
    """Raises StoreError unless models of this type generate answers here."""
    if kind not in GENERATORS:
        raise StoreError(f"{folder} holds a {kind} model; those that generate: {', '.join(GENERATORS)}")


def check_sharing(backbone: Any) -> None:
    """Raises ConfigError unless every layer of the backbone takes a mask of our own."""
    config = backbone.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    if backbone.config.model_type not in SHARING or layers != {"full_attention"}:
        raise ConfigError(
            "rows of answers that share a prompt need a mask of our own in every layer; one of type "
            f"{backbone.config.model_type} with {' and '.join(sorted(layers))} is not known to take it. Set "
            "shared_prompt=false (in training train.model.shared_prompt=false): every answer is then a pass of its own."
        )


def read_model_config(folder: str) -> Any:
    """What config.json of a model folder says. Raises StoreError where it is missing or cannot be read."""
    from transformers import AutoConfig

    if not (Path(folder) / "config.json").is_file():
        raise StoreError(f"{folder} is not a model folder: it has no config.json. Pass the folder of a checkpoint.")
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {folder}/config.json: {str(error).splitlines()[0]}") from None


def load_checked(kind: Any, folder: str, dtype: str, **how: Any) -> Any:
    """What `kind.from_pretrained` makes of a folder, whose weights are all there and fit.

    Raises:
        StoreError: they do not, or a file is damaged.
    """
    from safetensors import SafetensorError

    _quieten()
    try:
        model, report = kind.from_pretrained(
            folder,
            dtype=DTYPES[dtype],
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            # They are told of below, by name and shape.
            ignore_mismatched_sizes=True,
            **how,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StoreError(f"cannot load the weights of {folder}: {reason}") from None
    check_loaded(folder, report)
    return model


def _load(kind: Any, folder: str, dtype: str) -> Any:
    model = load_checked(kind, folder, dtype, attn_implementation="sdpa")
    _embed_patches_by_product(model)
    if dtype == "float64":
        compute_in_float64(model)
    return model.eval()


def _embed_patches_by_product(model: nn.Module) -> None:
    """A convolution whose stride is its kernel is a matrix product, for which every precision has a fast path."""
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionPatchEmbed
    from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLVisionPatchEmbed

    for module in model.modules():
        if isinstance(module, Qwen2_5_VisionPatchEmbed | Qwen3VLVisionPatchEmbed):
            module.forward = _PatchEmbedding(module.proj)  # type: ignore[method-assign]


class _PatchEmbedding:
    """[patches, values] to [patches, hidden], as the convolution `proj` does."""

    def __init__(self, proj: nn.Conv3d) -> None:
        self._proj = proj

    def __call__(self, patches: torch.Tensor) -> torch.Tensor:
        weight = self._proj.weight
        return nn.functional.linear(patches.to(weight.dtype), weight.flatten(1), self._proj.bias)


def compute_in_float64(model: nn.Module) -> None:
    """Make a float64 model compute in float64 throughout: transformers' models round to float32 in two places."""
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl
    from transformers.models.qwen3_vl import modeling_qwen3_vl

    for module in model.modules():
        # The norm of Llama, which most families have a copy of; others compute with what their own class says.
        if type(module).__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon"):
            module.forward = _Norm(module)  # type: ignore[method-assign]
    modeling_qwen2_5_vl.apply_rotary_pos_emb_vision = _rotate_vision
    modeling_qwen3_vl.apply_rotary_pos_emb_vision = _rotate_vision


class _Norm:
    """Root-mean-square norm in the precision of its input."""

    def __init__(self, norm: Any) -> None:
        self._weight, self._epsilon = norm.weight, norm.variance_epsilon

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        variance = hidden.pow(2).mean(-1, keepdim=True)
        return self._weight * (hidden * torch.rsqrt(variance + self._epsilon))


def _rotate_vision(
    queries: torch.Tensor, keys: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotary positions of the vision tower in at least float32; float64 stays float64."""
    wide = torch.promote_types(queries.dtype, torch.float32)
    cos, sin = cos.unsqueeze(-2).to(wide), sin.unsqueeze(-2).to(wide)
    return tuple(_rotate(x.to(wide), cos, sin).to(x.dtype) for x in (queries, keys))  # type: ignore[return-value]


def _rotate(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = states.chunk(2, dim=-1)
    return states * cos + torch.cat((-second, first), dim=-1) * sin


def _quieten() -> None:
    """No progress bars of loading; and DeepSpeed, which transformers imports, need not look for an accelerator."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
