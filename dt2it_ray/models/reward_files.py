"""How a reward model is made from a checkpoint, and what its folder holds: weights, config, tokenizer, readout."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Literal

from pydantic import Field

from dt2it_ray.data.chat import REWARD_SYSTEM
from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.collate import Encoder, open_encoder
from dt2it_ray.models.heads import draw_weights, load_weights
from dt2it_ray.models.lora import add_adapters, merged_weights
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.reward_heads import HEADS
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.reward_settings import ModelSettings, ReadoutSettings
from dt2it_ray.models.weights import DTYPES, load_backbone
from dt2it_ray.settings import parse_settings

REWARD_CONFIG = "reward_config.json"
OLD_NAMES = ("qwen2_5_vl",)
"""Values of `model_type` whose released files say `visual.` and `model.` for `model.visual.` and
`model.language_model.`; transformers finds nothing under the latter when it opens the backbone alone."""


class RewardConfig(ReadoutSettings):
    """What a reward-model folder says about itself beside its weights."""

    name: str
    system_prompts: dict[str, str] = Field(default_factory=lambda: dict(REWARD_SYSTEM))
    """By language: what stands in front of a conversation without a system message."""
    collate: CollateSettings = CollateSettings()
    dtype: Literal["float32", "bfloat16"] = "float32"
    fingerprint: str = ""
    """Hash of the weights and of everything above."""


def new_reward_model(folder: str, dtype: str, seed: int, settings: ModelSettings | None = None) -> RewardModel:
    """A reward model on a checkpoint's backbone. A head that the folder lacks, or has of another kind, is drawn from
    the seed.

    Raises:
        StoreError: see `load_backbone` and `load_weights`. ConfigError: the backbone cannot be read or adapted so.
    """
    model = RewardModel(load_backbone(folder, dtype), settings)
    if not _same_kind(folder, model.settings) or not load_weights(model.readers, folder):
        draw_weights(model.readers, seed)
    add_adapters(model.backbone, model.settings, seed)
    return model


def _same_kind(folder: str, settings: ReadoutSettings) -> bool:
    """Whether a folder's head computes what `settings` ask for. Heads of another kind may have the same names."""
    if not Path(folder, REWARD_CONFIG).is_file():
        return True
    stored = read_reward_config(folder)
    return (stored.head, stored.fusion) == (settings.head, settings.fusion)


def open_reward_model(
    folder: str, dtype: str, collate: CollateSettings | None = None, config: RewardConfig | None = None
) -> tuple[RewardModel, Encoder, RewardConfig]:
    """A saved reward model, the encoder that feeds it, and what its folder says about it.

    `config` stands in for what the folder of somebody else's model does not say.

    Raises:
        StoreError: a file is missing or damaged. ConfigError: reward_config.json does not fit.
    """
    config = config or read_reward_config(folder)
    encoder = open_encoder(folder, collate or config.collate, config.system_prompts, config.readout())
    model = RewardModel(load_backbone(folder, dtype), ModelSettings(**config.readout().model_dump()))
    if not load_weights(model.readers, folder):
        names = " or ".join(HEADS) if config.head == "linear" else ", ".join(dict(model.readers.named_parameters()))
        raise StoreError(f"the weights of {folder} have no {names}; this is not a trained reward model")
    return model.eval(), encoder, config


def read_reward_config(folder: str) -> RewardConfig:
    """What a reward-model folder says about itself. Raises StoreError or ConfigError as `open_reward_model`."""
    path = Path(folder) / REWARD_CONFIG
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise StoreError(f"{folder} is not a reward model: it has no {REWARD_CONFIG}. Train one first.") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from None
    return parse_settings(RewardConfig, tree, where=str(path))


def save_reward_model(model: RewardModel, encoder: Encoder, config: RewardConfig, folder: str) -> RewardConfig:
    """Write a Hugging Face style folder: complete, or not at all. Returns the config with its fingerprint."""
    from huggingface_hub import save_torch_state_dict

    draft = f"{folder}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    os.makedirs(draft)
    renamed = model.backbone.config.model_type in OLD_NAMES
    state = {_file_name(name, renamed): value for name, value in merged_weights(model.backbone).items()}
    state |= model.readers.state_dict()
    # Cloned: DeepSpeed makes the weights views of one flat buffer, which safetensors refuses to write.
    state = {name: value.detach().to("cpu", DTYPES[config.dtype]).clone() for name, value in state.items()}
    save_torch_state_dict(state, draft)
    _save_backbone_config(model, config, draft)
    encoder.tokenizer.save_pretrained(draft)
    if encoder.image_processor is not None:
        encoder.image_processor.save_pretrained(draft)
    config = config.model_copy(update={"fingerprint": _fingerprint(draft, config)})
    Path(draft, REWARD_CONFIG).write_text(config.model_dump_json(indent=2), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(draft, folder)
    return config


def _file_name(name: str, renamed: bool) -> str:
    """The name that a weight of the backbone has in files."""
    if renamed and name.startswith("visual."):
        return name
    return f"model.{name.removeprefix('language_model.') if renamed else name}"


def _save_backbone_config(model: RewardModel, config: RewardConfig, folder: str) -> None:
    tree = model.backbone.config.to_dict()
    family = type(model.backbone).__name__.removesuffix("Model")
    # Other tools know one linear layer only; they refuse a class that they do not know instead of drawing a new head.
    plain = (config.head, config.pooling, config.fusion) == ("linear", "last", "early")
    kind = "ForSequenceClassification" if plain else "RewardModel"
    tree |= {"architectures": [family + kind], "dtype": config.dtype}
    tree |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    Path(folder, "config.json").write_text(json.dumps(tree, indent=2, sort_keys=True), encoding="utf-8")


def _fingerprint(folder: str, config: RewardConfig) -> str:
    digest = hashlib.sha256(config.model_copy(update={"fingerprint": ""}).model_dump_json().encode())
    for path in sorted(Path(folder).glob("*.safetensors")):
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]
