"""What a reward model is: a backbone, of text or of images too, whose hidden states a head turns into one number."""

from typing import Any

import torch
from torch import nn

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.flex_kernel import flex_mask, takes_flex
from dt2it_ray.models.fusion import build_fusion, image_tokens
from dt2it_ray.models.heads import build_head
from dt2it_ray.models.packed_attention import attend_by_blocks, parts_of
from dt2it_ray.models.pooling import pool
from dt2it_ray.models.prefix import PrefixBatch
from dt2it_ray.models.reward_settings import Attention, ModelSettings
from dt2it_ray.models.weights import check_sharing

Look = tuple[torch.Tensor, ...]
"""Of one image: its features, then those that go into the first layers, each [image tokens, hidden]."""


class RewardModel(nn.Module):
    """Rewards of conversations: pooled hidden states, joined with image features by some fusions, under a head."""

    def __init__(self, backbone: Any, settings: ModelSettings | None = None) -> None:
        """Raises ConfigError where the backbone has no images to fuse, or takes no mask of shared prompts."""
        super().__init__()
        self.settings = settings or ModelSettings()
        if self.settings.shared_prompt:
            check_sharing(backbone)
            attend_by_blocks(backbone)
        config = backbone.config.get_text_config()
        fusion = self.settings.fusion
        self.sees = hasattr(backbone, "visual")
        if fusion != "early" and not self.sees:
            raise ConfigError(f"fusion={fusion} joins text with images, and this backbone sees none: set fusion=early")
        self.backbone = backbone
        self.fusion = build_fusion(fusion, config.hidden_size, config.num_attention_heads, backbone.dtype)
        self.width = config.hidden_size if fusion == "early" else 2 * config.hidden_size
        """Of what the head reads."""
        self.score = build_head(self.settings, self.width, backbone.dtype)
        self.language_head: torch.Tensor | None = None
        """[vocabulary, H] of a model that writes critiques too and has a head of its own for that."""
        self.attention: Attention = "auto"
        """Which kernel reads packed rows."""
        self.looks: dict[str, Look] = {}
        """What the vision tower makes of images, by key, see `look_once`."""
        freeze(backbone, self.settings)

    @property
    def readers(self) -> nn.ModuleDict:
        """The layers that the backbone does not have, under the names of their weights in a folder."""
        layers = {"score": self.score} | ({"fusion": self.fusion} if self.fusion is not None else {})
        return nn.ModuleDict(layers)

    @property
    def looks_stay(self) -> bool:
        """Whether training leaves all that makes image features as it is."""
        return self.sees and self.settings.freeze_vision and self.settings.freeze_projector

    def forward(self, batch: PrefixBatch) -> torch.Tensor:
        """[N] rewards, in the order in which the batch's conversations were given."""
        return self.score(self.pooled(batch)).squeeze(-1)

    def pooled(self, batch: PrefixBatch) -> torch.Tensor:
        """[N, width] what the head reads. Image places of a batch without patches hold the placeholder's embedding."""
        return self.read(batch, *self.states(batch))

    def states(self, batch: PrefixBatch) -> tuple[torch.Tensor, Look | None]:
        """[B, L, H] hidden states of the text model, and what the vision tower makes of the batch's images."""
        looks = None if batch.patches is None else self._look(batch)
        return self._hidden(batch, looks if self.fusion is None else None), looks

    def read(self, batch: PrefixBatch, hidden: torch.Tensor, looks: Look | None) -> torch.Tensor:
        """[N, width] what the head reads of `states`."""
        text = pool(hidden, batch, self.settings.pooling)
        if self.fusion is None:
            return text
        places = batch.by_group(batch.ids == self.backbone.config.image_token_id)
        seen = image_tokens(looks[0] if looks else None, places, like=text)
        return self.fusion(text, batch.group_of(), *seen)

    def _hidden(self, batch: PrefixBatch, looks: Look | None) -> torch.Tensor:
        """[B, L, H] hidden states of the text model, which sees the images if `looks` are given."""
        embeddings = self.backbone.get_input_embeddings()(batch.ids)
        visual: dict[str, Any] = {}
        if looks is not None:
            features, *deep = looks
            places = batch.ids == self.backbone.config.image_token_id
            embeddings = embeddings.masked_scatter(places[..., None], features)
            # Only Qwen3-VL has these: features of inner layers, added after the first layers of the text model.
            visual = {"visual_pos_masks": places, "deepstack_visual_embeds": deep} if deep else {}
        return (self.backbone.language_model if self.sees else self.backbone)(
            inputs_embeds=embeddings,
            position_ids=batch.positions if self.sees else batch.positions[0],
            use_cache=False,
            **self._looking(batch, embeddings.dtype),
            **visual,
        ).last_hidden_state

    def _looking(self, batch: PrefixBatch, dtype: torch.dtype) -> dict[str, Any]:
        """What tells the attention which tokens see which."""
        if batch.blocks:
            # A mask of four dimensions goes through transformers' models as it is; nobody looks at this one.
            unused = torch.zeros(1, 1, 1, 1, dtype=dtype, device=batch.ids.device)
            flex = takes_flex(self.attention, self.backbone, batch.ids.device, dtype)
            return {"attention_mask": unused, "parts": flex_mask(batch) if flex else parts_of(batch, dtype)}
        return {"attention_mask": batch.mask(dtype) if self.settings.shared_prompt else batch.tokens()}

    def _look(self, batch: PrefixBatch) -> Look:
        """Features for every image token of the batch, each distinct image computed once."""
        if self.looks:
            looks = [self.looks[batch.keys[index]] for index in batch.shown]
            return tuple(torch.cat(layers) for layers in zip(*looks, strict=True))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.looks_stay):
            layers = image_features(self.backbone, batch.patches, batch.grids)
        return tuple(gather(layer, batch.shown) for layer in layers)


def gather(features: Any, shown: tuple[int, ...]) -> torch.Tensor:
    """The features of the images shown, one after the other."""
    return torch.cat([features[index] for index in shown])


def image_features(backbone: Any, patches: Any, grids: Any) -> list[Any]:
    """What the vision tower makes of images: the features, then those for inner layers if it has any; by image."""
    seen = backbone.get_image_features(patches, grids, return_dict=True)
    return [seen.pooler_output, *(getattr(seen, "deepstack_features", None) or ())]


def freeze(backbone: Any, settings: ModelSettings) -> None:
    """Keep training from the weights that `settings` name. Raises ConfigError for more layers than there are."""
    if hasattr(backbone, "visual"):
        for name, weight in backbone.visual.named_parameters():
            projects = name.startswith(("merger.", "deepstack_merger_list."))
            weight.requires_grad_(not (settings.freeze_projector if projects else settings.freeze_vision))
    text = getattr(backbone, "language_model", backbone)
    if settings.freeze_layers > len(text.layers):
        raise ConfigError(f"freeze_layers={settings.freeze_layers}, and the text model has {len(text.layers)} layers")
    if settings.freeze_layers:
        for part in (backbone.get_input_embeddings(), *text.layers[: settings.freeze_layers]):
            part.requires_grad_(False)
