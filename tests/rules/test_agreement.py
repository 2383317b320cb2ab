import numpy as np
import pytest

from dt2it_ray.rules.agreement import interval_alpha, interval_parts, kappa, kappa_parts, nominal_alpha, nominal_parts

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", example C: four observers, twelve units, 0: no value.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
)
RATED = [(unit, value) for row in OBSERVERS for unit, value in enumerate(row) if value]
UNITS, VALUES = (np.array(column) for column in zip(*RATED, strict=True))


def test_alpha_gives_the_published_values() -> None:
    units, parts = nominal_parts(UNITS, VALUES - 1, 5)
    assert units.tolist() == list(range(11))
    assert float(nominal_alpha(parts.sum(axis=0))) == pytest.approx(0.743, abs=5e-4)
    units, parts = interval_parts(UNITS, VALUES.astype(float))
    assert units.tolist() == list(range(11))
    assert float(interval_alpha(parts.sum(axis=0))) == pytest.approx(0.849, abs=5e-4)


def test_alpha_does_not_depend_on_the_order_of_ratings_nor_on_their_origin() -> None:
    mixed = np.random.default_rng(0).permutation(len(UNITS))
    _, parts = interval_parts(UNITS, VALUES.astype(float))
    _, moved = interval_parts(UNITS[mixed], VALUES[mixed] + 1e6)
    assert float(interval_alpha(moved.sum(axis=0))) == pytest.approx(float(interval_alpha(parts.sum(axis=0))), abs=1e-9)


def test_kappa_gives_the_value_worked_by_hand() -> None:
    # Worked by hand: 0.7 alike, 0.5 by chance. 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no.
    one, other = np.repeat([0, 0, 1, 1], [20, 5, 10, 15]), np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    cells = kappa_parts(one, other, 2)
    assert float(kappa(cells.sum(axis=0))) == pytest.approx(0.4, abs=1e-9)
    assert kappa(np.stack([cells.sum(axis=0)] * 3)).shape == (3,)


def test_kappa_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import cohen_kappa_score

    draw = np.random.default_rng(1)
    one = draw.integers(3, size=400)
    other = np.where(draw.random(400) < 0.6, one, draw.integers(3, size=400))
    told = float(kappa(kappa_parts(one, other, 3).sum(axis=0)))
    assert told == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)


def test_full_agreement_is_one_and_one_category_is_not_defined() -> None:
    values = np.array([0, 1, 2, 1])
    assert float(kappa(kappa_parts(values, values, 3).sum(axis=0))) == 1
    units = np.tile(np.arange(4), 2)
    assert float(nominal_alpha(nominal_parts(units, np.tile(values, 2), 3)[1].sum(axis=0))) == 1
    assert float(interval_alpha(interval_parts(units, np.tile(values, 2).astype(float))[1].sum(axis=0))) == 1
    with np.errstate(invalid="ignore"):
        assert np.isnan(kappa(kappa_parts(np.zeros(4, int), np.zeros(4, int), 3).sum(axis=0)))
        assert np.isnan(nominal_alpha(nominal_parts(units, np.ones(8, int), 3)[1].sum(axis=0)))
        assert np.isnan(interval_alpha(interval_parts(units, np.full(8, 7.1))[1].sum(axis=0)))


def test_units_rated_once_do_not_count() -> None:
    units, parts = interval_parts(np.array([0, 0, 1]), np.array([1.0, 2.0, 9.0]))
    assert units.tolist() == [0]
    assert parts[:, 1].tolist() == [2]
    assert nominal_parts(np.array([4]), np.array([1]), 3)[1].shape == (0, 4)
