"""Equal keys are found as comparing every two would find them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt2it_ray.rules import equal_keys
from dt2it_ray.rules.equal_keys import Groups, pairs_of_equal

KEYS = st.lists(st.integers(0, 5), max_size=30)


@given(KEYS, KEYS)
def test_every_two_places_with_one_key_are_paired_once(left: list[int], right: list[int]) -> None:
    found = [
        pair
        for lefts, rights in pairs_of_equal(np.array(left, int), np.array(right, int))
        for pair in zip(lefts.tolist(), rights.tolist(), strict=True)
    ]
    assert sorted(found) == [(i, j) for i, a in enumerate(left) for j, b in enumerate(right) if a == b]


def test_chunks_hold_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equal_keys, "PAIRS_AT_ONCE", 7)
    keys = np.array([1, 2, 1, 1, 3, 2, 1, 1])
    chunks = [len(lefts) for lefts, _ in pairs_of_equal(keys, keys)]
    assert sum(chunks) == 25 + 4 + 1
    assert len(chunks) > 2


def test_of_a_key_that_many_have_only_the_first_are_paired() -> None:
    [(lefts, rights)] = pairs_of_equal(np.array([4, 9]), np.array([9, 4, 9, 9]), most=2)
    assert list(zip(lefts.tolist(), rights.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 2)]


def test_places_joined_through_others_have_the_lowest_of_them() -> None:
    groups = Groups(7)
    groups.join(np.array([5, 6]), np.array([6, 2]))
    groups.join(np.array([], int), np.array([], int))
    assert groups.are_apart(np.array([1, 5]), np.array([3, 2])).tolist() == [True, False]
    groups.join(np.array([1, 3]), np.array([3, 5]))
    assert groups.lowest.tolist() == [0, 1, 1, 1, 4, 1, 1]
