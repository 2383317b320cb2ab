"""Sums of a step become means over its pairs, and tell how far the model follows its proxy."""

import pytest
import torch

from dt2it_ray.models.loss import losses
from dt2it_ray.models.loss_settings import LossSettings, ShortcutSettings
from dt2it_ray.models.train_figures import add, figures, means_of

ON = LossSettings(shortcut=ShortcutSettings(enabled=True))
RIGHT, WRONG = [1.0, 0.0], [0.0, 1.0]


def sums_of(model: list[list[float]], proxy: list[list[float]]) -> dict[str, float]:
    rewards, blind = torch.tensor(model), torch.tensor(proxy)
    costs = losses(rewards, torch.full((len(model),), torch.nan), ON, blind)
    return figures(rewards, [blind], costs, [[f"pair-{place}"] for place in range(len(model))], [])


def test_the_degradation_is_the_accuracy_where_the_proxy_is_right_less_that_where_it_is_wrong() -> None:
    sums = sums_of([RIGHT, RIGHT, WRONG, RIGHT], [RIGHT, RIGHT, RIGHT, WRONG])
    add(sums, sums_of([WRONG, WRONG], [WRONG, WRONG]))
    means = means_of(sums, weight=6.0)
    assert (means["accuracy"], means["proxy_accuracy"]) == (0.5, 0.5)
    assert means["shortcut_degradation"] == pytest.approx(2 / 3 - 1 / 3)
    assert "right_with_proxy" not in means


def test_there_is_no_degradation_where_the_proxy_is_always_right_or_absent() -> None:
    assert "shortcut_degradation" not in means_of(sums_of([RIGHT, WRONG], [RIGHT, RIGHT]), 2.0)
    assert "shortcut_degradation" not in means_of({"pairs": 2.0, "accuracy": 1.0, "loss": 1.0}, 2.0)
