import numpy as np
import pytest

from dt2it_ray.rules.calibration_curve import (
    calibration,
    expected_calibration_error,
    log_loss,
    reliability_curve,
    sigmoid,
)


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def test_a_hand_computed_error() -> None:
    # Two pairs at 0.62 of which one is right, one at 0.97 that is right.
    margins = np.array([logit(0.62), -logit(0.62), logit(0.97)])
    curve = reliability_curve(margins)
    assert [(entry.low, entry.n, entry.confidence, entry.accuracy) for entry in curve if entry.n] == [
        (0.6, 2, pytest.approx(0.62), 0.5),
        (0.95, 1, pytest.approx(0.97), 1.0),
    ]
    assert expected_calibration_error(curve) == pytest.approx((2 * 0.12 + 0.03) / 3)


def test_a_calibrated_model_has_no_error() -> None:
    margins = np.concatenate([np.full(75, logit(0.75)), np.full(25, -logit(0.75))])
    assert calibration(margins)["ece"] == pytest.approx(0.0, abs=1e-9)


def test_ties_are_sure_of_nothing_and_half_right() -> None:
    [entry] = [entry for entry in reliability_curve(np.zeros(4)) if entry.n]
    assert (entry.low, entry.confidence, entry.accuracy) == (0.5, 0.5, 0.5)
    assert log_loss(np.zeros(4)) == pytest.approx(np.log(2))


def test_huge_margins_do_not_overflow_and_certainty_is_in_the_last_bin() -> None:
    told = calibration(np.array([1e300, 800.0]))
    assert told["curve"][-1]["n"] == 2
    assert told["curve"][-1]["accuracy"] == 1.0
    assert told["ece"] == 0.0
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


def test_no_pairs_have_no_figures() -> None:
    told = calibration(np.zeros(0))
    assert (told["n"], told["ece"], told["log_loss"]) == (0, None, None)
