"""How a reward model is made from a checkpoint, and what its folder holds: weights, config, tokenizer, readout."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field

from dt2it_ray.data.chat import REWARD_SYSTEM
from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.collate import Encoder, open_encoder
from dt2it_ray.models.critique import LANGUAGE_HEAD
from dt2it_ray.models.heads import draw_weights, load_weights
from dt2it_ray.models.lora import add_adapters, merged_weights
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.reward_heads import HEAD, HEADS, bias_of
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.reward_settings import REWARD_CONFIG, ModelSettings, ReadoutSettings
from dt2it_ray.models.weights import DTYPES, load_backbone
from dt2it_ray.settings import parse_settings

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
    critiques: bool = False
    """Whether it reads a critique behind each answer, and is to score none without."""
    writes_critiques: bool = True
    """Where it reads them: whether it learned to write them, too."""
    bias: float = 0.0
    """Added to every reward: that of somebody else's head. Ours learn none, as it cancels in every pair."""
    fingerprint: str = ""
    """Hash of the weights and of everything above."""

    @property
    def plain(self) -> bool:
        """Whether one linear layer on the last token makes the reward, which is all that other tools know."""
        return (self.head, self.pooling, self.fusion) == ("linear", "last", "early")


@dataclass(frozen=True)
class Layout:
    """By which names a folder is read."""

    head: str = HEAD
    """Of the weight of a linear head."""
    head_file: str | None = None
    """File of the head where it is not among the others."""
    with_bias: bool = False
    """Whether the head's bias stands beside its weight."""
    kind: str = "ForSequenceClassification"
    """End of the class's name, for one linear layer on the last token."""


OWN = Layout()


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


def save_reward_model(
    model: RewardModel,
    encoder: Encoder,
    config: RewardConfig,
    folder: str,
    layout: Layout = OWN,
    finish: Callable[[Path], None] | None = None,
) -> RewardConfig:
    """Write a Hugging Face style folder: complete, or not at all. Returns the config with its fingerprint, which in
    another layout than `OWN` stays that of the model.

    `finish` is called with the folder before it gets its name.
    """
    draft = f"{folder}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    os.makedirs(draft)
    renamed = model.backbone.config.model_type in OLD_NAMES
    state = {_file_name(name, renamed): value for name, value in merged_weights(model.backbone).items()}
    state |= model.readers.state_dict()
    if model.language_head is not None:
        state[LANGUAGE_HEAD] = model.language_head
    # Cloned: DeepSpeed makes the weights views of one flat buffer, which safetensors refuses to write.
    state = {name: value.detach().to("cpu", DTYPES[config.dtype]).clone() for name, value in state.items()}
    _save_weights(state, config, layout, draft)
    _save_backbone_config(model, config, layout, draft)
    encoder.tokenizer.save_pretrained(draft)
    if encoder.image_processor is not None:
        encoder.image_processor.save_pretrained(draft)
    if layout == OWN:
        config = config.model_copy(update={"fingerprint": _fingerprint(draft, config)})
    Path(draft, REWARD_CONFIG).write_text(config.model_dump_json(indent=2), encoding="utf-8")
    if finish is not None:
        finish(Path(draft))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(draft, folder)
    return config


def _file_name(name: str, renamed: bool) -> str:
    """The name that a weight of the backbone has in files."""
    if renamed and name.startswith("visual."):
        return name
    return f"model.{name.removeprefix('language_model.') if renamed else name}"


def _save_weights(state: dict[str, torch.Tensor], config: RewardConfig, layout: Layout, folder: str) -> None:
    from huggingface_hub import save_torch_state_dict
    from safetensors.torch import save_file

    if layout.head != HEAD:
        state[layout.head] = state.pop(HEAD)
    if layout.with_bias:
        state[bias_of(layout.head)] = torch.tensor([config.bias], dtype=DTYPES[config.dtype])
    if layout.head_file is not None:
        names = [name for name in state if name in (layout.head, bias_of(layout.head))]
        save_file({name: state.pop(name) for name in names}, Path(folder, layout.head_file), metadata={"format": "pt"})
    save_torch_state_dict(state, folder)


def _save_backbone_config(model: RewardModel, config: RewardConfig, layout: Layout, folder: str) -> None:
    tree = model.backbone.config.to_dict()
    family = type(model.backbone).__name__.removesuffix("Model")
    # Other tools know one linear layer only; they refuse a class that they do not know instead of drawing a new head.
    kind = layout.kind if config.plain else "RewardModel"
    tree |= {"architectures": [family + kind], "dtype": config.dtype}
    tree |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    Path(folder, "config.json").write_text(json.dumps(tree, indent=2, sort_keys=True), encoding="utf-8")


def _fingerprint(folder: str, config: RewardConfig) -> str:
    digest = hashlib.sha256(config.model_copy(update={"fingerprint": ""}).model_dump_json().encode())
    for path in sorted(Path(folder).glob("*.safetensors")):
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]
