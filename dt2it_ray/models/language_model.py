"""A backbone with its language head, as the loop that fine-tunes it needs it, and how it is saved."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dt2it_ray.models.collate import Encoder
from dt2it_ray.models.language_loss import AnswerLosses, answer_losses
from dt2it_ray.models.prefix import PrefixBatch
from dt2it_ray.models.reward_model import freeze, gather
from dt2it_ray.models.reward_settings import ModelSettings
from dt2it_ray.models.weights import DTYPES, load_causal_model


class LanguageModel(nn.Module):
    """How likely answers are. Rows of its batches hold one conversation each."""

    def __init__(self, folder: str, dtype: str, settings: ModelSettings) -> None:
        """The model of a checkpoint folder, of which `settings` tell what stays as it is. Raises StoreError, see
        `load_causal_model`, and ConfigError for more frozen layers than there are."""
        super().__init__()
        self.whole = load_causal_model(folder, dtype)
        freeze(self.backbone, settings)

    @property
    def backbone(self) -> Any:
        """The model without its language head."""
        return self.whole.base_model

    @property
    def readers(self) -> nn.ModuleDict:
        """The language head, if its weights are its own and not those of the token embeddings."""
        head = self.whole.get_output_embeddings()
        tied = head.weight is self.whole.get_input_embeddings().weight
        return nn.ModuleDict({} if tied else {"lm_head": head})

    def forward(self, batch: PrefixBatch) -> AnswerLosses:
        """The losses of the batch's conversations, in the order in which they were given."""
        seen: dict[str, Any] = {}
        sees = hasattr(self.backbone, "visual")
        if batch.patches is not None and batch.grids is not None:
            patches = gather(batch.patches.split(batch.grids.prod(dim=1).tolist()), batch.shown)
            seen = {"pixel_values": patches, "image_grid_thw": batch.grids[list(batch.shown)]}
        hidden = self.backbone(
            input_ids=batch.ids,
            attention_mask=batch.tokens(),
            position_ids=batch.positions if sees else batch.positions[0],
            use_cache=False,
            **seen,
        ).last_hidden_state
        return answer_losses(hidden, self.whole.get_output_embeddings(), batch)


def save_language_model(model: LanguageModel, encoder: Encoder, dtype: str, folder: str) -> None:
    """Write a folder that transformers opens and reward models start from: complete, or not at all."""
    draft = f"{folder}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    os.makedirs(draft)
    model.whole.save_pretrained(draft, state_dict=_own_storage(model.whole, DTYPES[dtype]))
    encoder.tokenizer.save_pretrained(draft)
    if encoder.image_processor is not None:
        encoder.image_processor.save_pretrained(draft)
    shutil.rmtree(folder, ignore_errors=True)
    Path(draft).rename(folder)


def _own_storage(model: nn.Module, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The weights on the CPU, each in memory of its own: DeepSpeed makes them views of one flat buffer, which
    safetensors refuses to write. Names of the same weight share theirs, so that it is written once."""
    copies: dict[int, torch.Tensor] = {}
    kept = {}
    for name, weight in model.state_dict(keep_vars=True).items():
        kept[name] = copies.setdefault(id(weight), weight.detach().to("cpu", dtype).clone())
    return kept
