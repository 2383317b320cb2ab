"""How a reward head sees images that the text model did not: as one pooled vector, or by looking at their tokens.

Every conversation gets [its pooled text vector | what it takes from its images]. Image features are brought to a root
mean square of 1, as hidden states after the last norm are. Without images the second half is 0.
"""

import torch
from torch import nn
from torch.nn import functional


def build_fusion(kind: str, width: int, heads: int, dtype: torch.dtype) -> nn.Module | None:
    """The layers of `ReadoutSettings.fusion`; None for `early`, where the text model itself sees the images."""
    if kind == "early":
        return None
    return LateFusion() if kind == "late" else CrossAttention(width, heads if width % heads == 0 else 1, dtype)


class LateFusion(nn.Module):
    """Joins the mean over a conversation's image tokens. Has no weights."""

    def forward(self, text: torch.Tensor, row: torch.Tensor, tokens: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """[N, 2 H] from text vectors [N, H], the row of each, and the rows' image tokens [B, V, H] with [B, V] true
        where there is one."""
        mean = tokens.sum(1) / there.sum(1).clamp(min=1)[:, None]
        return torch.cat([text, unit_scale(mean)[row]], dim=1)


class CrossAttention(nn.Module):
    """Joins what the text vector, as a query, takes from the image tokens of its conversation."""

    def __init__(self, width: int, heads: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False, dtype=dtype) for _ in range(3))

    def forward(self, text: torch.Tensor, row: torch.Tensor, tokens: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """As `LateFusion.forward`.

        Each row has one more token, of zeros: all that a row without images can look at. So these layers take part in
        every batch, as DeepSpeed's collective calls need.
        """
        tokens = functional.pad(unit_scale(tokens), (0, 0, 0, 1))
        there = functional.pad(there, (0, 1), value=True)
        keys, values = self._split(self.key(tokens))[row], self._split(self.value(tokens))[row]
        taken = functional.scaled_dot_product_attention(
            self._split(self.query(text)[:, None]), keys, values, attn_mask=there[row, None, None]
        )
        return torch.cat([text, taken.flatten(1)], dim=1)

    def _split(self, states: torch.Tensor) -> torch.Tensor:
        """[B, heads, tokens, width of a head] from [B, tokens, width]."""
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def unit_scale(features: torch.Tensor) -> torch.Tensor:
    """Features with a root mean square of 1; zeros stay zeros."""
    return functional.rms_norm(features, features.shape[-1:])


def image_tokens(features: torch.Tensor | None, places: torch.Tensor, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Features of image tokens, which come row by row, as rows [B, V, H] of the most that one has, and [B, V] true
    where there is one. `places` [B, L] is true at image tokens; None for batches without images."""
    counts = places.sum(1) if features is not None else torch.zeros_like(places[:, 0], dtype=torch.long)
    there = torch.arange(int(counts.max()), device=places.device)[None] < counts[:, None]
    rows = like.new_zeros(*there.shape, like.shape[-1])
    return (rows if features is None else rows.masked_scatter(there[..., None], features.to(like.dtype))), there
