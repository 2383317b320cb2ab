"""Which hidden states of a conversation its reward is read from: its last token's, or the mean over its answer's."""

import torch

from dt2it_ray.models.prefix import PrefixBatch


def pool(hidden: torch.Tensor, batch: PrefixBatch, pooling: str) -> torch.Tensor:
    """[N, H] of the conversations of a batch, from the hidden states [B, L, H] of its rows.

    `mean` takes the tokens that `PrefixBatch.answers` names: those of the answer itself and of what the chat template
    writes after it. Tokens with which several answers of a row begin count for each of these.
    """
    row = batch.last[:, 0]
    if pooling == "last":
        return hidden[row, batch.last[:, 1]]
    own = batch.answers >= 0
    states = hidden[row[:, None], batch.answers.clamp(min=0)]
    return (states * own[..., None]).sum(1) / own.sum(1, keepdim=True)
