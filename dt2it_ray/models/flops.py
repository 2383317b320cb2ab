"""How many floating-point operations a training step needs, counted from the model's shape, and what a device can do.

Model FLOPs as in arXiv 2204.02311, appendix B: matrix products forward and backward, without what is computed twice to
save memory, without embeddings, norms, projectors and heads. For dense models.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dt2it_ray.models.collate import Encoded
from dt2it_ray.models.prefix import shared_length

PEAKS = {
    "B200": (2250e12, 75e12),
    "H200": (989e12, 67e12),
    "H100 PCIe": (756e12, 51e12),
    "H100": (989e12, 67e12),
    "A100": (312e12, 19.5e12),
    "L40S": (362e12, 91.6e12),
    "A10": (125e12, 31.2e12),
    "L4": (121e12, 30.3e12),
    "RTX 4090": (165e12, 82.6e12),
}
"""FLOP/s in bfloat16 with float32 sums and in float32, dense, of the makers' data sheets, by a part of the device's
name. The first that fits counts."""
WORK = ("looks", "patches", "patch_looks")
"""Beside `tokens`, what of a batch costs FLOPs: pairs of a token with one that it sees, image patches, and pairs of
patches that see each other."""


@dataclass(frozen=True)
class StepCosts:
    """FLOPs of training per token and per entry of `WORK`."""

    token: float
    look: float
    patch: float
    patch_look: float

    def flops(self, sums: Mapping[str, float]) -> float:
        """Of a step that read so much."""
        return (
            self.token * sums.get("tokens", 0)
            + self.look * sums.get("looks", 0)
            + self.patch * sums.get("patches", 0)
            + self.patch_look * sums.get("patch_looks", 0)
        )


def step_costs(backbone: Any) -> StepCosts:
    """What a backbone costs, with the weights frozen that do not learn."""
    text = getattr(backbone, "language_model", backbone)
    config = text.config.get_text_config()
    width = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    below = [text.get_input_embeddings(), *([backbone.visual] if hasattr(backbone, "visual") else [])]
    learns_below = any(weight.requires_grad for part in below for weight in part.parameters())
    token, depth = _products(text.layers, learns_below)
    if not hasattr(backbone, "visual"):
        return StepCosts(token, 4 * width * depth, 0.0, 0.0)
    vision = backbone.visual
    patch, vision_depth = _products(vision.blocks, vision.patch_embed.proj.weight.requires_grad)
    return StepCosts(token, 4 * width * depth, patch, 4 * vision.config.hidden_size * vision_depth)


def _products(layers: Iterable[nn.Module], learns_below: bool) -> tuple[float, float]:
    """FLOPs of the matrices of some layers per token, and how often each layer's attention is computed, in all.

    Forward once; backward once more for what flows on to layers below that learn, and once for what a matrix learns.
    """
    flops, times, flows = 0.0, 0.0, learns_below
    for layer in layers:
        learns = any(weight.requires_grad for weight in layer.parameters())
        flows = flows or learns
        for matrix in (part for part in layer.modules() if isinstance(part, nn.Linear)):
            size = matrix.weight.numel()
            flops += 2 * size * (1 + flows + matrix.weight.requires_grad)
        # Attention has two products, and backward each of them has two.
        times += 1 + 2 * flows
    return flops, times


@dataclass(frozen=True)
class Meter:
    """Tells how fast the devices of a training compute."""

    costs: StepCosts
    peak: float
    """FLOP/s of all workers together at best; 0: unknown."""

    def figures(self, sums: Mapping[str, float], seconds: float) -> dict[str, float]:
        """`tflops_per_s`, and `mfu`, its share of the peak, of a step that read so much."""
        speed = self.costs.flops(sums) / seconds
        told = {"tflops_per_s": round(speed / 1e12, 4)}
        return told | ({"mfu": round(speed / self.peak, 4)} if self.peak else {})


def group_work(groups: Sequence[Sequence[Encoded]], grids: torch.Tensor | None) -> dict[str, float]:
    """Sums of `WORK` over the rows that groups become, with the distinct images of which pixels are read."""
    sizes = [] if grids is None else grids.prod(dim=1).tolist()
    return {
        "looks": float(sum(_looks(group) for group in groups)),
        "patches": float(sum(sizes)),
        "patch_looks": float(sum(size**2 for size in sizes)),
    }


def peak_flops(device: str, precision: str, stated: float = 0.0) -> float:
    """FLOP/s that a worker can do at best: as stated, or by the name of its device; 0 where nobody knows."""
    if stated or device == "cpu":
        return stated
    name = torch.cuda.get_device_name()
    known = next((peaks for part, peaks in PEAKS.items() if part in name), (0.0, 0.0))
    return known[precision != "bfloat16"]


def _looks(group: Sequence[Encoded]) -> int:
    """Pairs of a token with one that it sees, itself included."""
    shared = shared_length(group) if len(group) > 1 else 0
    own = [len(encoded.ids) - shared for encoded in group]
    return shared * (shared + 1) // 2 + sum(size * shared + size * (size + 1) // 2 for size in own)
