import numpy as np
import pytest

from dt2it_ray.rules.paired import compare, flipped_signs, mcnemar


def test_mcnemar_by_hand() -> None:
    # 1 of 6: 2 * (1 + 6) / 64.
    assert mcnemar(1, 5) == mcnemar(5, 1) == 14 / 64
    assert mcnemar(0, 0) == mcnemar(4, 4) == 1.0
    assert 0 < mcnemar(900, 2000) < 1e-80


def test_flipped_signs_of_single_pairs_are_mcnemar() -> None:
    assert flipped_signs(np.array([1, 1, 1, 1, 1, -1, 0, 0]), 0, 10) == mcnemar(5, 1)
    many = np.array([1] * 40 + [-1] * 20)
    assert flipped_signs(many, 0, 20_000) == pytest.approx(mcnemar(40, 20), abs=0.004)


def test_a_comparison_counts_pairs_that_only_one_has_right() -> None:
    first, second = np.array([1, 1, 1, 0, 0.5, np.nan]), np.array([1, 0, 0, 1, 1.0, 0])
    told = compare(first, second, None, seed=0, level=0.95, samples=2000)
    assert told is not None
    assert (told.only_first, told.only_second, told.difference, told.p_value) == (2, 2, 0.0, 1.0)
    assert told.interval[0] < 0 < told.interval[1]


def test_the_interval_is_narrower_than_that_of_unpaired_accuracies() -> None:
    generator = np.random.default_rng(0)
    first = (generator.random(1000) < 0.7).astype(float)
    second = first.copy()
    second[:20] = 1 - second[:20]
    told = compare(first, second, None, seed=0, level=0.95, samples=4000)
    assert told is not None
    # Only 20 of 1000 pairs differ: a standard error of sqrt(20) / 1000.
    assert told.interval[1] - told.interval[0] == pytest.approx(2 * 1.96 * np.sqrt(20) / 1000, rel=0.15)


def test_models_change_places_and_so_does_the_difference() -> None:
    first, second = np.array([1.0] * 30 + [0] * 10), np.array([1.0] * 20 + [0] * 20)
    one = compare(first, second, None, seed=0, level=0.9, samples=1000)
    other = compare(second, first, None, seed=0, level=0.9, samples=1000)
    assert one is not None
    assert other is not None
    assert one.difference == -other.difference == 0.25
    assert one.p_value == other.p_value == mcnemar(10, 0)


def test_pairs_of_a_group_are_drawn_together() -> None:
    first, second = np.repeat([1.0, 0.0], [12, 12]), np.repeat([0.0, 1.0], [6, 18])
    groups = [f"g{place // 6}" for place in range(24)]
    told = compare(first, second, groups, seed=0, level=0.95, samples=4000)
    alone = compare(first, second, None, seed=0, level=0.95, samples=4000)
    assert told is not None
    assert alone is not None
    assert (told.units, told.test) == (4, "sign flips by group")
    assert told.p_value > alone.p_value
    mixed = np.random.default_rng(1).permutation(24)
    assert compare(first[mixed], second[mixed], [groups[k] for k in mixed], 0, 0.95, 4000) == told
    assert compare(np.zeros(0), np.zeros(0), None, 0, 0.95, 100) is None
