"""How likely a language model finds answers: next-token cross-entropy over the tokens of each conversation's answer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from dt2it_ray.models.prefix import PADDING, SHARED, PrefixBatch


@dataclass(frozen=True)
class AnswerLosses:
    """Of N conversations, each from the first token of its answer to the end of its turn."""

    sums: torch.Tensor
    """[N] cross-entropy, summed over the tokens, in float32 at least."""
    tokens: torch.Tensor
    """[N] how many they are."""
    right: torch.Tensor
    """[N] how many of them the model finds likelier than any other."""


def answer_losses(
    hidden: torch.Tensor, head: Callable[[torch.Tensor], torch.Tensor], batch: PrefixBatch
) -> AnswerLosses:
    """The losses of a batch whose conversations know where their answers begin (`Encoded.start`).

    `hidden` is [B, L, H], the last hidden states; `head` makes [M, vocabulary] logits of [M, H]. Rows may hold several
    answers to one prompt.
    """
    there = batch.answers != PADDING
    columns = batch.answers.clamp(min=0)
    rows = batch.last[:, :1].expand_as(columns)
    before = _columns_before(batch, rows, columns)
    # A conversation without a prompt has no token that its first one could be told from.
    there = there & (before >= 0)
    wanted = batch.ids[rows[there], columns[there]]
    logits = head(hidden[rows[there], before[there]])
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    costs = functional.cross_entropy(logits, wanted, reduction="none")
    owners = there.nonzero()[:, 0]
    sums = torch.zeros(len(there), dtype=costs.dtype, device=costs.device).index_add(0, owners, costs)
    right = torch.zeros_like(sums).index_add(0, owners, (logits.argmax(dim=1) == wanted).to(sums.dtype))
    return AnswerLosses(sums, there.sum(dim=1), right)


def _columns_before(batch: PrefixBatch, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """[N, A] the column whose hidden state tells each token: the one before, or the last shared one where that is of
    another answer."""
    before = columns - 1
    owner, neighbour = batch.branch[rows, columns], batch.branch[rows, before.clamp(min=0)]
    last_shared = (batch.branch == SHARED).sum(dim=1)[rows] - 1
    return torch.where((neighbour == owner) | (neighbour == SHARED), before, last_shared)
