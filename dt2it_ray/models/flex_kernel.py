"""How one kernel computes the attention of a whole packed row on a GPU: torch's FlexAttention, wherever it compiles."""

import functools
import sys
from typing import Any, NamedTuple

import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from torch.nn.functional import pad, scaled_dot_product_attention

from dt2it_ray.errors import ConfigError
from dt2it_ray.models.prefix import PADDING, PrefixBatch
from dt2it_ray.models.reward_settings import Attention

TILE = 128
"""Tokens of a tile; the kernel leaves out tiles that nobody looks at. Rows are filled up to whole ones, so that their
length and the number of their tiles change together: one compilation is then for all lengths."""
LEAST_TILES = 2
"""torch.compile makes a variant for sizes of 1, and the kernel is another one for less than 128 tokens."""
DTYPES = (torch.bfloat16, torch.float16, torch.float32)
"""Which the kernel computes in on a GPU."""
APART = {torch.float32: 5e-3}
"""How far the trial of a kernel may be from plain attention, as a share: TF32's rounding, else bfloat16's."""


class Heads(NamedTuple):
    """What a kernel is compiled for."""

    query: int
    key: int
    width: int


def takes_flex(wanted: Attention, backbone: Any, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether packed rows of a backbone go through `flex` on a device.

    Raises:
        ConfigError: it is wanted by name, and does not work there.
    """
    if wanted == "blocks" or (wanted == "auto" and (device.type != "cuda" or dtype not in DTYPES)):
        return False
    if device.type != "cuda":
        return True
    config = backbone.config.get_text_config()
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = Heads(config.num_attention_heads, config.num_key_value_heads, width)
    trouble = trouble_of(heads, device, dtype, torch.is_grad_enabled())
    if trouble and wanted == "flex":
        raise ConfigError(f"attention=flex does not work here ({trouble}); set attention=blocks or auto")
    return not trouble


@functools.cache
def trouble_of(heads: Heads, device: torch.device, dtype: torch.dtype, trains: bool) -> str:
    """Why the compiled kernel does not work here, told on stderr once; empty where it does.

    It is tried on a short row, backwards too if the model trains, and compared with plain attention: one that fails in
    the middle of a training would end it.
    """
    try:
        apart = _apart(heads, device, dtype, trains)
    except Exception as error:  # noqa: BLE001 - compilers raise what they like
        trouble = f"{type(error).__name__}: {(str(error).strip() or '?').splitlines()[0]}"
    else:
        # Written so that what is not a number is trouble, too.
        trouble = "" if apart <= APART.get(dtype, 5e-2) else f"its result is {apart:.2g} from plain attention"
    if trouble:
        print(f"attention: FlexAttention does not work here, auto takes blocks: {trouble}", file=sys.stderr, flush=True)
    return trouble


def _apart(heads: Heads, device: torch.device, dtype: torch.dtype, trains: bool) -> float:
    """The largest difference between both ways over outputs and, if wanted, gradients, as a share of the largest."""
    length = LEAST_TILES * TILE
    draw = torch.Generator().manual_seed(0)
    given = [
        torch.randn(1, count, length, heads.width, generator=draw) for count in (heads.query, heads.key, heads.key)
    ]
    part = torch.arange(length, device=device) // 50
    mask = tile_mask(part, part // 3 * 3)
    places = torch.arange(length, device=device)
    allowed = mask.mask_mod(part, part, places[:, None], places[None])
    told = []
    for way in (
        lambda q, k, v: attend(q, k, v, mask, None),
        lambda q, k, v: scaled_dot_product_attention(q, k, v, allowed, enable_gqa=True).transpose(1, 2),
    ):
        states = [each.to(device, dtype).requires_grad_(trains) for each in given]
        seen = way(*states)
        if trains:
            seen.square().sum().backward()
        told.append([seen.detach(), *(each.grad for each in states if each.grad is not None)])
    shares = [(ours - plain).abs().max() / plain.abs().max() for ours, plain in zip(*told, strict=True)]
    return float(torch.stack(shares).max())


def flex_mask(batch: PrefixBatch) -> BlockMask:
    """What each token of a packed row looks at, for all layers of a pass, over whole tiles.

    A hidden image's tokens, and what is filled up, are parts of their own, which nobody else looks at.
    """
    counts = torch.tensor([1 + len(block.own) for block in batch.blocks])
    sizes = torch.tensor([size for block in batch.blocks for size in (block.shared, *block.own)])
    part = torch.arange(len(sizes)).repeat_interleave(sizes)
    shared = (counts.cumsum(0) - counts).repeat_interleave(counts)[part]
    length = len(part)
    filled = max(LEAST_TILES, -(-length // TILE)) * TILE - length
    alone = -1 - torch.arange(length + filled, device=batch.ids.device)
    there = pad(batch.branch[0] != PADDING, (0, filled), value=False)
    part = torch.where(there, pad(part, (0, filled)).to(there.device), alone)
    shared = torch.cat([shared.to(there.device), alone[length:]])
    return tile_mask(part, shared)


def tile_mask(part: torch.Tensor, shared: torch.Tensor) -> BlockMask:
    """The mask of tokens that look at those before them of the same `part` [L] and of the part `shared` [L]."""

    def looks(_row: Any, _head: Any, looking: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        return (seen <= looking) & ((part[seen] == part[looking]) | (part[seen] == shared[looking]))

    return create_block_mask(looks, None, None, len(part), len(part), device=part.device, BLOCK_SIZE=TILE)


def attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: BlockMask, scaling: float | None
) -> torch.Tensor:
    """[1, L, heads, width] from [1, heads, L, width]. On a CPU without compilation, slowly and forwards only."""
    length = query.shape[2]
    filled = mask.shape[-1] - length
    kernel: Any = _compiled() if query.is_cuda else flex_attention
    query, key, value = (pad(states, (0, 0, 0, filled)) for states in (query, key, value))
    seen = kernel(query, key, value, block_mask=mask, scale=scaling, enable_gqa=True)
    return seen[:, :, :length].transpose(1, 2).contiguous()


@functools.cache
def _compiled() -> Any:
    """The kernel for all lengths, compiled as soon as it is called, once with gradients and once without."""
    return torch.compile(flex_attention, dynamic=True, fullgraph=True)
