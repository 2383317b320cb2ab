"""How tokens of a packed row look at their own block only, without a mask of the whole row.

Shared tokens of a block look at each other; the rest of each answer looks at these and at itself. So the cost does not
grow with the square of the row. Text models of transformers hand keyword arguments down to a function of attention that
is registered by name.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.nn.attention.flex_attention import BlockMask
from torch.nn.functional import scaled_dot_product_attention

from dt2it_ray.models.flex_kernel import attend
from dt2it_ray.models.prefix import PADDING, PrefixBatch

NAME = "dt2it_blocks"
"""Under which transformers knows `attention`."""


class Part(NamedTuple):
    """Some tokens of a row that look at the same tokens."""

    shared: bool
    """Whether they look at each other alone, as the shared tokens of a block do."""
    size: int
    mask: torch.Tensor | None
    """[size, tokens looked at], added to logits; None where each looks at all before it."""


def parts_of(batch: PrefixBatch, dtype: torch.dtype) -> list[Part]:
    """The parts of a packed row, in order. Tokens whose branch is `PADDING`, hidden images, are looked at by none."""
    seen = (batch.branch[0] != PADDING).cpu()
    hides = not bool(seen.all())
    parts, start = [], 0
    for block in batch.blocks:
        shared = seen[start : start + block.shared]
        mask = _mask(shared[:0], shared, dtype) if hides else None
        parts.append(Part(True, block.shared, mask if mask is None else mask.to(batch.ids.device)))
        start += block.shared
        for size in block.own:
            own = _mask(shared, seen[start : start + size], dtype)
            parts.append(Part(False, size, own.to(batch.ids.device)))
            start += size
    return parts


def _mask(before: torch.Tensor, own: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """[own, before and own] what own tokens see: of those before, and of themselves up to each one's place."""
    causal = torch.ones(len(own), len(own), dtype=torch.bool).tril() & own
    # A hidden token sees itself, as a row without anything to see has no softmax.
    causal |= torch.eye(len(own), dtype=torch.bool)
    allowed = torch.cat([before.expand(len(own), -1), causal], dim=1)
    return torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, torch.finfo(dtype).min)


def attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    parts: Sequence[Part] | BlockMask | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """[1, L, heads, width] from [1, heads, L, width], part by part or by one mask of the whole row; without either as
    transformers' `sdpa`."""
    from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

    if parts is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **others)
    if isinstance(parts, BlockMask):
        return attend(query, key, value, parts, scaling), None
    groups = getattr(module, "num_key_value_groups", 1)
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    sizes = [part.size for part in parts]
    shared_key, shared_value = key[:, :, :0], value[:, :, :0]
    seen = []
    for part, q, k, v in zip(parts, *(states.split(sizes, dim=2) for states in (query, key, value)), strict=True):
        if part.shared:
            shared_key, shared_value = k, v
        else:
            k, v = torch.cat([shared_key, k], dim=2), torch.cat([shared_value, v], dim=2)
        causal = part.mask is None
        seen.append(scaled_dot_product_attention(q, k, v, part.mask, scale=scaling, is_causal=causal))
    return torch.cat(seen, dim=2).transpose(1, 2).contiguous(), None


def attend_by_blocks(backbone: Any) -> None:
    """Have the text model of a backbone look by `attention` from now on."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    backbone.config.get_text_config()._attn_implementation = NAME
