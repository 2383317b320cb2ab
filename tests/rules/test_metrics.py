import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.metrics import (
    Accuracy,
    acc_plus,
    bootstrap_interval,
    credits_of,
    groups_right,
    macro,
    macro_interval,
    measure,
    split_by,
)

NONE = np.zeros(0)
SCORES = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=12)


def test_right_wrong_tied_and_unscored_pairs() -> None:
    credits = credits_of([2.0, 1.0, 1.0, None, 1.0], [1.0, 2.0, 1.0, 0.0, None])
    assert credits[:3].tolist() == [1, 0, 0.5]
    assert np.isnan(credits[3:]).all()
    figures = measure(credits)
    assert figures == Accuracy(pairs=5, right=1, tied=1, unscored=2)
    assert (figures.accuracy, figures.accuracy_ties_half) == (0.2, 0.3)


def test_the_smallest_difference_of_a_float_decides() -> None:
    assert credits_of([np.nextafter(1.0, 2.0)], [1.0]).tolist() == [1]


@given(SCORES)
@settings(max_examples=30, deadline=None)
def test_swapped_sides_give_the_complement(scores: list[tuple[int, int]]) -> None:
    chosen, rejected = zip(*scores, strict=True)
    assert (credits_of(chosen, rejected) + credits_of(rejected, chosen)).tolist() == [1] * len(scores)


@pytest.mark.parametrize("score", [float("nan"), float("-inf")])
def test_a_broken_score_is_an_error_with_its_pair(score: float) -> None:
    with pytest.raises(StageFailed, match="of the chosen answer of pair b is"):
        credits_of([0.0, score], [0.0, 0.0], ["a", "b"])
    with pytest.raises(StageFailed, match="of the rejected answer of pair 0 is"):
        credits_of([0.0, 0.0], [score, 0.0])


def test_no_pairs_have_no_figures() -> None:
    nothing = measure(NONE)
    assert (nothing.accuracy, nothing.accuracy_ties_half) == (None, None)
    assert split_by(NONE, []) == {}
    assert macro({}) is None
    assert acc_plus(NONE, []) is None
    assert bootstrap_interval(NONE) is None


def test_micro_and_macro_differ_when_categories_differ_in_size() -> None:
    credits = np.array([1.0, 1, 1, 0])
    parts = split_by(credits, ["long", "mcq", "long", "mcq"])
    assert {name: part.tolist() for name, part in parts.items()} == {"long": [1, 1], "mcq": [1, 0]}
    by_category = {name: measure(part) for name, part in split_by(credits, ["long", "long", "long", "mcq"]).items()}
    assert measure(credits).accuracy == 0.75
    assert macro(by_category) == 0.5


def test_acc_plus_needs_every_pair_of_a_group() -> None:
    credits, groups = np.array([1.0, 1, 0.5, 1, np.nan]), ["a", "a", "b", "b", "c"]
    assert groups_right(credits, groups) == {"a": True, "b": False, "c": False}
    assert acc_plus(credits, groups) == 1 / 3
    assert acc_plus(credits[::-1], groups[::-1]) == 1 / 3


def test_the_interval_holds_the_accuracy_and_has_the_binomial_width() -> None:
    credits = np.array([1.0] * 136 + [0.0] * 34)
    interval = bootstrap_interval(credits)
    assert interval is not None
    low, high = interval
    # 170 pairs at 80 %: plus or minus 6 points.
    assert low == pytest.approx(0.74, abs=0.01)
    assert high == pytest.approx(0.86, abs=0.01)


def test_the_interval_depends_on_seed_and_counts_only() -> None:
    credits = np.array([1.0] * 30 + [0.5] * 3 + [0.0] * 7)
    mixed = np.array(random.Random(1).sample(credits.tolist(), k=len(credits)))
    assert bootstrap_interval(credits, seed=3) == bootstrap_interval(mixed, seed=3)
    many = np.tile(credits, 50)
    assert bootstrap_interval(many, seed=3, samples=200) != bootstrap_interval(many, seed=4, samples=200)


def test_the_interval_of_an_extreme_is_no_point() -> None:
    # Wilson's for 5 of 5: 5 / (5 + 1.96**2) to 1.
    assert bootstrap_interval(np.ones(5)) == pytest.approx((0.5655, 1.0), abs=1e-4)
    assert bootstrap_interval(np.zeros(5)) == pytest.approx((0.0, 0.4345), abs=1e-4)


def test_the_interval_of_the_macro_mean_is_wider_where_a_category_is_small() -> None:
    def width(small: int) -> float:
        parts = {"a": Accuracy(400, 300, 0, 0), "b": Accuracy(small, small // 2, 0, 0)}
        interval = macro_interval(parts)
        assert interval is not None
        assert interval[0] < 0.625 < interval[1]
        return interval[1] - interval[0]

    # Half of the standard error of a small category of 10 at one half is 0.079, of 400 it is 0.0125.
    assert width(10) == pytest.approx(2 * 1.96 * np.sqrt(0.5**2 * (0.25 / 10 + 0.1875 / 400)), rel=0.1)
    assert width(400) < width(10) / 3
    assert macro_interval({}) is None


def test_a_higher_level_and_fewer_pairs_give_wider_intervals() -> None:
    def width(pairs: int, level: float) -> float:
        interval = bootstrap_interval(np.tile([1.0, 1.0, 0.0, 1.0], pairs // 4), level=level)
        assert interval is not None
        return interval[1] - interval[0]

    assert width(400, 0.95) < width(400, 0.99)
    assert width(400, 0.95) < width(40, 0.95)
