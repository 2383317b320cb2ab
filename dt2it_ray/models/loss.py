"""What training minimises."""

import torch
from torch.nn import functional


def bradley_terry(chosen: torch.Tensor, rejected: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum of weight * -log sigmoid(chosen - rejected) over pairs, in float32 at least (arXiv 2604.19544).

    Divide by the sum of the global batch's weights for the mean: micro-batches then add up to it, whatever their size.
    """
    wide = torch.promote_types(chosen.dtype, torch.float32)
    return -(functional.logsigmoid(chosen.to(wide) - rejected.to(wide)) * weights).sum()
