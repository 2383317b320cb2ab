"""How well the margin of two rewards says how often the model is right: sigmoid(margin) as a probability."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BINS = 10
DECIMALS = 9
"""Figures are rounded to this, so that the order of a float sum does not show."""


@dataclass(frozen=True)
class CurveBin:
    """Pairs whose preferred answer wins with a probability in [low, high), as the model says (the last bin holds 1)."""

    low: float
    high: float
    n: int
    confidence: float | None
    """Mean probability that the model gives to the answer that it prefers."""
    accuracy: float | None
    """Share of pairs in which it is right; a tie is half right."""


def reliability_curve(margins: Floats, bins: int = BINS) -> list[CurveBin]:
    """Bins of equal width over the confidence max(p, 1 - p), p = sigmoid(margin) of reward(chosen) - reward(rejected).

    Confidences reach from 0.5 to 1, as the model prefers one side or neither.
    """
    confidence = sigmoid(np.abs(margins))
    right = (np.sign(margins) + 1) / 2
    edges = np.linspace(0.5, 1.0, bins + 1)
    places = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, bins - 1)
    return [
        CurveBin(
            round(float(edges[k]), DECIMALS),
            round(float(edges[k + 1]), DECIMALS),
            int(here.sum()),
            _mean(confidence[here]),
            _mean(right[here]),
        )
        for k, here in ((k, places == k) for k in range(bins))
    ]


def expected_calibration_error(curve: list[CurveBin]) -> float | None:
    """Mean distance between confidence and accuracy over the pairs (ECE; Naeini et al. 2015); None without pairs."""
    total = sum(entry.n for entry in curve)
    if not total:
        return None
    gaps = (entry.n * abs(entry.confidence - entry.accuracy) for entry in curve if entry.n)  # type: ignore[operator]
    return round(sum(gaps) / total, DECIMALS)


def log_loss(margins: Floats) -> float | None:
    """Mean -log sigmoid(margin), the Bradley-Terry loss in nats; log 2 for a model that cannot tell."""
    return _mean(np.logaddexp(0.0, -margins))


def calibration(margins: Floats) -> dict[str, Any]:
    """ECE, loss and the reliability curve as plain values; pairs without rewards are left out by the caller."""
    curve = reliability_curve(margins)
    return {
        "n": len(margins),
        "ece": expected_calibration_error(curve),
        "log_loss": log_loss(margins),
        "mean_margin": _mean(margins),
        "curve": [vars(entry) for entry in curve],
    }


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    return np.exp(-np.logaddexp(0.0, -values))


def _mean(values: Floats) -> float | None:
    return round(float(values.mean()), DECIMALS) if len(values) else None
