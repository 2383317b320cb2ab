"""How training learns what text alone tells: a second head that reads the backbone, or a copy of it, with all images
hidden from it."""

import copy
from dataclasses import replace

import torch
from torch import nn

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.heads import build_head, draw_weights
from dt2it_ray.models.loss_settings import ShortcutSettings
from dt2it_ray.models.prefix import PADDING, PrefixBatch
from dt2it_ray.models.reward_model import RewardModel

FIRST_FOCUS = 0.5
"""The mean Shortcut-Failure Coefficient of two new heads, whose losses are alike."""

LEAST_FOCUS = 1e-3
"""Coefficients are divided by no less, so that one odd step cannot make the next one a thousand times larger."""


class ShortcutAware(nn.Module):
    """A reward model in training beside its proxy, which the finished model does without (arXiv 2503.03122)."""

    def __init__(self, model: RewardModel, settings: ShortcutSettings, seed: int) -> None:
        """The proxy's head is of the model's kind, and drawn from the seed. Raises ConfigError for a text backbone."""
        super().__init__()
        if not model.sees:
            raise ConfigError(
                "loss.shortcut compares rewards with and without images, and this backbone sees none: leave it off"
            )
        self.model = model
        self.proxy = build_head(model.settings, model.width, model.backbone.dtype)
        draw_weights(self.proxy, seed + 1)
        self.reader = _blind_copy(model) if settings.proxy == "separate" else None
        """What the proxy reads with, if it is not the model itself."""
        self._proxy_learns_to_read = settings.proxy != "head"
        self.focus: torch.Tensor
        """What the weights of pairs are divided by, where they are to have a mean of 1. Part of every checkpoint."""
        self.register_buffer("focus", torch.tensor(FIRST_FOCUS))

    def of_proxy(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The proxy's own weights that learn: those of its backbone, if it has one, and those of its head."""
        if self.reader is None:
            return [], list(self.proxy.parameters())
        own = [weight for weight in self.reader.backbone.parameters() if weight.requires_grad]
        return own, [*self.reader.readers.parameters(), *self.proxy.parameters()]

    def forward(self, batch: PrefixBatch) -> torch.Tensor:
        """[2, N]: the rewards, and what the proxy gives."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self._proxy_learns_to_read):
            hidden = without_images(batch, self.model.backbone.config.image_token_id)
            blind = (self.reader or self.model).pooled(hidden)
        return torch.stack([self.model(batch), self.proxy(blind).squeeze(-1)])

    def remember(self, mean_focus: float) -> None:
        """Take the mean coefficient of a step for the next one. 0, where no pair could be used, is not taken."""
        if mean_focus > 0:
            self.focus.fill_(max(mean_focus, LEAST_FOCUS))


def _blind_copy(model: RewardModel) -> RewardModel:
    """A model that begins as this one, without its vision tower, what that made of images, and its head."""
    left_out = {id(model.backbone.visual): nn.Identity(), id(model.score): nn.Identity(), id(model.looks): {}}
    return copy.deepcopy(model, left_out)


def without_images(batch: PrefixBatch, image_token_id: int) -> PrefixBatch:
    """The batch with its image places hidden from all tokens. Places and positions of the others stay."""
    branch = batch.branch.masked_fill(batch.ids == image_token_id, PADDING)
    return replace(batch, branch=branch, patches=None, grids=None, keys=(), shown=())
