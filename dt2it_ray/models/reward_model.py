"""What a reward model is: a vision-language backbone whose last hidden state a linear head turns into one number."""

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from dt2it_ray.data.chat import REWARD_SYSTEM
from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.collate import Encoder, Picture, open_encoder
from dt2it_ray.models.model_settings import CollateSettings
from dt2it_ray.models.prefix import PrefixBatch
from dt2it_ray.models.reward_heads import HEAD, HEADS, stored_head
from dt2it_ray.models.weights import DTYPES, load_backbone
from dt2it_ray.settings import Settings, parse_settings

REWARD_CONFIG = "reward_config.json"
LOOKED_AT_TOGETHER = 16
"""Images of one pass of the vision tower in `look_once`."""
LOOKS_BYTES = 2**30
"""Image features that need more memory than this are not kept."""

Look = tuple[torch.Tensor, ...]
"""Of one image: its features, then those that go into the first layers, each [image tokens, hidden]."""


class RewardConfig(Settings):
    """What a reward-model folder says about itself beside its weights."""

    name: str
    head: Literal["linear"] = "linear"
    system_prompts: dict[str, str] = Field(default_factory=lambda: dict(REWARD_SYSTEM))
    """By language: what stands in front of a conversation without a system message."""
    collate: CollateSettings = CollateSettings()
    dtype: Literal["float32", "bfloat16"] = "float32"
    fingerprint: str = ""
    """Hash of the weights and of everything above."""


class RewardModel(nn.Module):
    """Rewards of conversations: score head [1, H] on the last token's hidden state, no bias."""

    def __init__(self, backbone: Any, freeze_vision: bool = True) -> None:
        super().__init__()
        hidden = backbone.config.text_config.hidden_size
        self.backbone = backbone
        self.score = nn.Linear(hidden, 1, bias=False, dtype=backbone.dtype)
        self.freeze_vision = freeze_vision
        self.looks: dict[str, Look] = {}
        """What the vision tower makes of images, by key, see `look_once`."""
        if freeze_vision:
            backbone.visual.requires_grad_(False)

    def forward(self, batch: PrefixBatch) -> torch.Tensor:
        """[N] rewards, in the order in which the batch's conversations were given."""
        embeddings = self.backbone.get_input_embeddings()(batch.ids)
        visual: dict[str, Any] = {}
        if batch.patches is not None:
            features, deep = self._look(batch)
            places = batch.ids == self.backbone.config.image_token_id
            embeddings = embeddings.masked_scatter(places[..., None], features)
            visual = {"visual_pos_masks": places, "deepstack_visual_embeds": deep}
        hidden = self.backbone.language_model(
            inputs_embeds=embeddings,
            attention_mask=batch.mask(embeddings.dtype),
            position_ids=batch.positions,
            use_cache=False,
            **visual,
        ).last_hidden_state
        return self.score(hidden[batch.last[:, 0], batch.last[:, 1]]).squeeze(-1)

    def _look(self, batch: PrefixBatch) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Image features and deepstack features for every image token, each distinct image computed once."""
        if self.looks:
            looks = [self.looks[batch.keys[index]] for index in batch.shown]
            merged, *deep = (torch.cat(layers) for layers in zip(*looks, strict=True))
            return merged, deep
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_vision):
            seen = self.backbone.get_image_features(batch.patches, batch.grids, return_dict=True)
        return gather(seen.pooler_output, batch.shown), [
            gather(layer, batch.shown) for layer in seen.deepstack_features
        ]


def gather(features: Any, shown: tuple[int, ...]) -> torch.Tensor:
    """The features of the images shown, one after the other."""
    return torch.cat([features[index] for index in shown])


def look_once(model: RewardModel, encoder: Encoder, images: Iterable[bytes], num_images: int) -> None:
    """Compute the features of all images now, so that batches need no pixels. For a frozen vision tower.

    Which images are computed together depends on their order only, so a resumed training sees the same bits. Images
    that cannot be prepared are left out. If the features would pass `LOOKS_BYTES`, batches compute their own.
    """
    looks: dict[str, Look] = {}
    known: dict[str, Picture] = {}
    distinct, size = _distinct_pictures(encoder, images), 0
    while chunk := list(itertools.islice(distinct, LOOKED_AT_TOGETHER)):
        seen = _look_at(model, chunk)
        looks |= seen
        known |= {picture.key: replace(picture, patches=picture.patches[:0]) for picture in chunk}
        size += sum(layer.nbytes for look in seen.values() for layer in look)
        if size / len(looks) * num_images > LOOKS_BYTES:
            return
    model.looks, encoder.known = looks, known


def _distinct_pictures(encoder: Encoder, images: Iterable[bytes]) -> Iterator[Picture]:
    seen: set[str] = set()
    for content in images:
        picture = encoder.picture(content)
        if isinstance(picture, Picture) and picture.key not in seen:
            seen.add(picture.key)
            yield picture


def _look_at(model: RewardModel, pictures: Sequence[Picture]) -> dict[str, Look]:
    device = model.score.weight.device
    patches = torch.from_numpy(np.concatenate([picture.patches for picture in pictures])).to(device)
    grids = torch.tensor([picture.grid for picture in pictures], device=device)
    with torch.no_grad():
        seen = model.backbone.get_image_features(patches, grids, return_dict=True)
    layers = zip(seen.pooler_output, *seen.deepstack_features, strict=True)
    # Cloned: the tensors are views of one that all images of the call share.
    return {picture.key: tuple(layer.clone() for layer in look) for picture, look in zip(pictures, layers, strict=True)}


def new_reward_model(folder: str, dtype: str, seed: int, freeze_vision: bool) -> RewardModel:
    """A reward model on a checkpoint's backbone. A head that the folder lacks is drawn from the seed.

    Raises:
        StoreError: see `load_backbone`.
    """
    model = RewardModel(load_backbone(folder, dtype), freeze_vision)
    head = stored_head(folder)
    if head is None:
        # Rewards of a new head have a variance of about 1 (as in arXiv 2009.01325).
        width = model.score.weight.shape[1]
        head = torch.randn(1, width, generator=torch.Generator().manual_seed(seed)) / (width + 1) ** 0.5
    with torch.no_grad():
        model.score.weight.copy_(head)
    return model


def open_reward_model(
    folder: str, dtype: str, collate: CollateSettings | None = None, config: RewardConfig | None = None
) -> tuple[RewardModel, Encoder, RewardConfig]:
    """A saved reward model, the encoder that feeds it, and what its folder says about it.

    `config` stands in for what the folder of somebody else's model does not say.

    Raises:
        StoreError: a file is missing or damaged. ConfigError: reward_config.json does not fit.
    """
    config = config or read_reward_config(folder)
    encoder = open_encoder(folder, collate or config.collate, config.system_prompts)
    model = RewardModel(load_backbone(folder, dtype))
    head = stored_head(folder)
    if head is None:
        raise StoreError(f"the weights of {folder} have no {' or '.join(HEADS)}; this is not a trained reward model")
    with torch.no_grad():
        model.score.weight.copy_(head)
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
    state = {f"model.{name}": value for name, value in model.backbone.state_dict().items()}
    state[HEAD] = model.score.weight
    # Cloned: DeepSpeed makes the weights views of one flat buffer, which safetensors refuses to write.
    state = {name: value.detach().to("cpu", DTYPES[config.dtype]).clone() for name, value in state.items()}
    save_torch_state_dict(state, draft)
    _save_backbone_config(model, config, draft)
    encoder.tokenizer.save_pretrained(draft)
    encoder.image_processor.save_pretrained(draft)
    config = config.model_copy(update={"fingerprint": _fingerprint(draft, config)})
    Path(draft, REWARD_CONFIG).write_text(config.model_dump_json(indent=2), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(draft, folder)
    return config


def _save_backbone_config(model: RewardModel, config: RewardConfig, folder: str) -> None:
    tree = model.backbone.config.to_dict()
    tree |= {"architectures": ["Qwen3VLForSequenceClassification"], "dtype": config.dtype}
    tree |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    Path(folder, "config.json").write_text(json.dumps(tree, indent=2, sort_keys=True), encoding="utf-8")


def _fingerprint(folder: str, config: RewardConfig) -> str:
    digest = hashlib.sha256(config.model_copy(update={"fingerprint": ""}).model_dump_json().encode())
    for path in sorted(Path(folder).glob("*.safetensors")):
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]
