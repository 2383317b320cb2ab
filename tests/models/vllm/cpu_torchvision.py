"""Lets torchvision's only wheel, built for CUDA, be imported beside torch for CPUs: `make venv-vllm` installs this file
in the environment's site-packages, where every process runs it. Two detection operators are declared and stay empty."""

import sys
from typing import Any

OPERATORS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


class BeforeTorchvision:
    """A finder that finds nothing: it declares the operators when torchvision is about to be imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """None, for any name."""
        if name != "torchvision":
            return
        sys.meta_path.remove(self)  # pyright: ignore[reportArgumentType]
        import torch

        for operator, signature in OPERATORS.items():
            torch.library.define(operator, signature)


sys.meta_path.insert(0, BeforeTorchvision())  # pyright: ignore[reportArgumentType]
