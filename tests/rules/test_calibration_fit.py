"""A temperature makes the sigmoid of a margin the share of pairs in which people agree."""

import numpy as np
import pytest

from dt2it_ray.data.ids import unit_interval
from dt2it_ray.errors import InputError
from dt2it_ray.rules.calibration_fit import fit_calibration, fit_temperature


def labelled(count: int, temperature: float, seed: int = 0) -> np.ndarray:
    """Margins of pairs whose label is true with probability sigmoid(margin / temperature)."""
    draw = np.random.default_rng(seed)
    margins = np.abs(draw.normal(0, 3, count))
    agree = draw.random(count) < 1 / (1 + np.exp(-margins / temperature))
    return np.where(agree, margins, -margins)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_temperature_that_labels_were_drawn_with_is_found(temperature: float) -> None:
    assert fit_temperature(labelled(40_000, temperature)) == pytest.approx(temperature, rel=0.05)


def test_a_larger_scale_of_rewards_is_a_larger_temperature_and_nothing_else() -> None:
    margins = labelled(500, 2.0)
    assert fit_temperature(100 * margins) == pytest.approx(100 * fit_temperature(margins), rel=1e-9)


def test_the_loss_is_least_at_the_temperature() -> None:
    margins = labelled(300, 2.0)
    best, label = fit_temperature(margins), 301 / 302

    def loss(temperature: float) -> float:
        scaled = margins / temperature
        return float((label * np.logaddexp(0, -scaled) + (1 - label) * np.logaddexp(0, scaled)).mean())

    assert loss(best) < min(loss(best * 1.02), loss(best / 1.02))


def test_a_model_that_orders_everything_right_does_not_become_infinitely_sure() -> None:
    # All margins equal: sigmoid(1 / T) is the share that Platt's rule counts as true.
    temperature = fit_temperature(np.ones(98))
    assert 1 / (1 + np.exp(-1 / temperature)) == pytest.approx(99 / 100)


def test_an_overconfident_model_is_less_wrong_afterwards_on_pairs_that_were_not_fitted() -> None:
    margins = labelled(4000, 5.0)
    fit = fit_calibration(margins, [f"prompt {row}" for row in range(len(margins))])
    assert fit.ece_before > 0.15
    assert fit.ece_after < 0.03
    assert fit.log_loss_after < fit.log_loss_before
    assert fit.accuracy == pytest.approx(float((margins > 0).mean()))


def test_figures_do_not_depend_on_the_order_of_pairs() -> None:
    margins, groups = labelled(200, 2.0), [f"prompt {row // 3}" for row in range(200)]
    turned = fit_calibration(margins[::-1].copy(), groups[::-1])
    assert vars(turned) == pytest.approx(vars(fit_calibration(margins, groups)))


def test_what_cannot_be_calibrated_is_an_error_that_says_why() -> None:
    with pytest.raises(InputError, match="does not order them as people do"):
        fit_temperature(np.array([-1.0, 0.5]))
    with pytest.raises(InputError, match="mean margin of 3 reference pairs is 0"):
        fit_temperature(np.zeros(3))
    with pytest.raises(InputError, match="0 reference pairs is undefined"):
        fit_temperature(np.array([]))
    with pytest.raises(InputError, match="1 prompts are too few"):
        fit_calibration(np.ones(4), ["one"] * 4)


def test_a_half_of_the_prompts_that_has_no_temperature_is_named_as_one() -> None:
    names = [f"prompt {row}" for row in range(40)]
    first = np.array([unit_interval("calibration", name) < 0.5 for name in names])
    # Right on the whole, wrong on one half: there are figures before, and none after that would mean anything.
    margins = np.where(first, -0.5, 2.0)
    told = rf"40 reference pairs is {margins.mean():.4g}, but {-0.5} over the {first.sum()} of one half"
    with pytest.raises(InputError, match=told):
        fit_calibration(margins, names)
    with pytest.raises(InputError, match="mean margin of 40 reference pairs is -1, not above 0"):
        fit_calibration(np.where(first, -1.0, -1.0), names)
