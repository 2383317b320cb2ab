"""What a judge scores an answer on, and what the scores add up to."""

import math
from collections.abc import Sequence

WEIGHT_TOLERANCE = 0.01
"""How far from 1 the sum of a judge's weights may be: two-decimal weights such as 0.33 + 0.33 + 0.33 still pass."""


def weights_sum_to_one(weights: Sequence[float], tolerance: float = WEIGHT_TOLERANCE) -> bool:
    """Whether the weights sum to 1 within `tolerance`, both ends included."""
    # Without the slack, 0.33 * 3 misses a tolerance of 0.01 by the last bit of a float.
    return abs(math.fsum(weights) - 1) <= tolerance + 1e-9


def overall(weights: Sequence[float], scores: Sequence[int]) -> float:
    """The weighted mean of the scores, rounded to two decimals. Weights need not sum to exactly 1."""
    weighted = math.fsum(weight * score for weight, score in zip(weights, scores, strict=True))
    return round(weighted / math.fsum(weights), 2)
