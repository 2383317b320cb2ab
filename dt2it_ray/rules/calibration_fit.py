"""By which temperature margins must be divided so that their sigmoid is the probability that people agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dt2it_ray.data.ids import unit_interval
from dt2it_ray.errors import InputError
from dt2it_ray.rules.calibration_curve import expected_calibration_error, log_loss, reliability_curve, sigmoid

Floats = NDArray[np.float64]
STEPS = 200
"""Halvings of the interval that holds the scale; 60 exhaust a float64."""


@dataclass(frozen=True)
class Fit:
    """A temperature for all pairs, and the figures of margins before and after. Those after are of each half of the
    prompts with a temperature fitted on the other half."""

    temperature: float
    accuracy: float
    ece_before: float
    ece_after: float
    log_loss_before: float
    log_loss_after: float


def fit_temperature(margins: Floats) -> float:
    """The temperature T > 0 with the least mean log loss of sigmoid(margin / T), margins being chosen - rejected.

    The label counts as true with probability (n + 1) / (n + 2) (Platt 1999), so that a model which orders all pairs
    right does not become infinitely sure.

    Raises:
        InputError: no T does, as margins are not positive in the mean.
    """
    if not len(margins) or not margins.mean() > 0:
        told = f"{margins.mean():.4g}" if len(margins) else "undefined"
        raise InputError(
            f"the mean margin of {len(margins)} reference pairs is {told}, not above 0: the model does not order them "
            "as people do, and no temperature makes it right. Are chosen and rejected swapped, or is it untrained?"
        )
    label = (len(margins) + 1) / (len(margins) + 2)
    low, high = 0.0, 1.0 / float(np.abs(margins).max())
    while _slope(margins, high, label) < 0:
        low, high = high, 2 * high
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _slope(margins, middle, label) < 0 else (low, middle)
    return 1 / high


def fit_calibration(margins: Floats, groups: Sequence[str]) -> Fit:
    """A temperature for margins, with figures. `groups` name the prompts, whose pairs stay in one half.

    Raises:
        InputError: see `fit_temperature`, for all pairs or those of one half; or all pairs are of one half.
    """
    halves = np.array([unit_interval("calibration", group) < 0.5 for group in groups], bool)
    if halves.all() or not halves.any():
        raise InputError(f"{len(set(groups))} prompts are too few to calibrate with; give some hundred reference pairs")
    temperature, after = fit_temperature(margins), margins.copy()
    for half in (halves, ~halves):
        _check_half(margins, ~half)
        after[half] /= fit_temperature(margins[~half])
    return Fit(
        temperature=temperature,
        accuracy=float(((np.sign(margins) + 1) / 2).mean()),
        ece_before=expected_calibration_error(reliability_curve(margins)) or 0.0,
        ece_after=expected_calibration_error(reliability_curve(after)) or 0.0,
        log_loss_before=log_loss(margins) or 0.0,
        log_loss_after=log_loss(after) or 0.0,
    )


def _check_half(margins: Floats, half: NDArray[np.bool_]) -> None:
    whole, part = float(margins.mean()), float(margins[half].mean())
    if not part > 0:
        raise InputError(
            f"the mean margin of {len(margins)} reference pairs is {whole:.4g}, but {part:.4g} over the "
            f"{half.sum()} of one half of the prompts: the model hardly orders them as people do, and what a "
            "temperature gains on other pairs cannot be told. Give more reference pairs, or a better model"
        )


def _slope(margins: Floats, scale: float, label: float) -> float:
    """Of the mean log loss of sigmoid(scale * margin) by the scale; it only grows with the scale."""
    return float((margins * (sigmoid(scale * margins) - label)).mean())
