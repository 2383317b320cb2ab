"""How a reward model learns to write critiques of answers and to score each answer by what was written of it."""

import torch
from torch import nn
from torch.nn import functional

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.prefix import PrefixBatch
from dt2it_ray.models.reward_heads import stored_tensor
from dt2it_ray.models.reward_model import RewardModel
from dt2it_ray.models.weights import check_generates

LANGUAGE_HEAD = "lm_head.weight"
"""Where folders keep a language head that is not the token embeddings."""


class WritingModel(nn.Module):
    """The language model of a reward model's folder, on the weights of the reward model that is in memory already."""

    def __init__(self, reward: RewardModel, folder: str) -> None:
        """Raises StoreError for damaged files, and for backbones that do not generate."""
        super().__init__()
        backbone = reward.backbone
        check_generates(backbone.config.model_type, folder)
        self.model, self.config = backbone, backbone.config
        own = None if self.config.tie_word_embeddings else stored_tensor(folder, LANGUAGE_HEAD)
        self._own = None if own is None else nn.Parameter(own.to(backbone.device, backbone.dtype), requires_grad=False)

    def lm_head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits [..., vocabulary] of hidden states."""
        head = self.model.get_input_embeddings().weight if self._own is None else self._own
        return functional.linear(hidden, head)


class CritiqueAware(nn.Module):
    """A reward model in training that also writes the critiques which its rewards are read behind (arXiv 2502.10391).

    The language head stays as it is: the token embeddings, or that of the base folder, which the finished folder gets
    too, so that the model can write critiques itself.
    """

    def __init__(self, model: RewardModel, base: str, zero_stage: int = 0) -> None:
        """Raises StoreError for damaged files in `base`, ConfigError where the workers do not hold whole embeddings."""
        super().__init__()
        if zero_stage == 3:
            raise ConfigError(
                "loss.critique reads the token embeddings as language head, and zero_stage=3 splits them over the "
                "workers: set zero_stage=2, or loss.critique.weight=0 and let another model write the critiques"
            )
        self.model: RewardModel = model
        head = stored_tensor(base, LANGUAGE_HEAD)
        if head is not None and not model.backbone.config.tie_word_embeddings:
            model.language_head = head.to(model.backbone.device, model.backbone.dtype)

    def forward(self, batch: PrefixBatch, critiques: torch.Tensor) -> torch.Tensor:
        """[2, N]: the rewards, and the mean cross-entropy over the tokens of each conversation's critique.

        `critiques` [N] is how many of a conversation's last tokens those are; where it is 0, so is the cost.
        """
        hidden, looks = self.model.states(batch)
        rewards = self.model.score(self.model.read(batch, hidden, looks)).squeeze(-1)
        head = self.model.language_head
        if head is None:
            head = self.model.backbone.get_input_embeddings().weight
        return torch.stack([rewards, critique_costs(hidden, batch, critiques, head).to(rewards.dtype)])


def critique_costs(
    hidden: torch.Tensor, batch: PrefixBatch, critiques: torch.Tensor, head: torch.Tensor
) -> torch.Tensor:
    """[N] mean cross-entropy, in float32 at least, of the last `critiques` [N] tokens of each conversation, which are
    its own; 0 where there are none. `hidden` is [B, L, H], `head` [vocabulary, H]."""
    steps = torch.arange(int(critiques.max()), device=hidden.device)
    there = steps[None] < critiques[:, None]
    rows, ends = (place[:, None].expand_as(there)[there] for place in batch.last.unbind(dim=1))
    columns = ends - steps[None].expand_as(there)[there]
    logits = functional.linear(hidden[rows, columns - 1], head)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    costs = functional.cross_entropy(logits, batch.ids[rows, columns], reduction="none")
    owners = there.nonzero()[:, 0]
    sums = torch.zeros(len(there), dtype=costs.dtype, device=costs.device).index_add(0, owners, costs)
    return sums / critiques.clamp(min=1)
