"""How a checkpoint is opened: what we compute otherwise than transformers gives the same numbers."""

from pathlib import Path

import torch

from dt2it_ray.models.weights import load_backbone
from tests.models.random_model import write_random_model


def test_patches_are_embedded_as_by_the_convolution(tmp_path: Path) -> None:
    embed = load_backbone(str(write_random_model(tmp_path)), "float64").visual.patch_embed
    patches = torch.randn(6, embed.proj.weight[0].numel(), dtype=torch.float64)
    product, convolution = embed(patches), type(embed).forward(embed, patches)
    assert "forward" in vars(embed)
    torch.testing.assert_close(product, convolution, atol=1e-12, rtol=1e-12)
    assert convolution.abs().max() > 0.01
