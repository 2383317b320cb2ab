"""How positions are drawn and balanced over plain draws; `test_orders` has the rule for tables."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dt2it_ray.rules.position import DRAW_BYTES, drawer, draws_of, first_half


def as_draws(numbers: list[int]) -> bytes:
    return np.array(numbers, ">u8").tobytes()


def test_a_draw_depends_on_key_seed_and_group_alone() -> None:
    drawn = [drawer(seed, group)(key) for seed in (7, 8) for group in ("a", "b") for key in (b"", b"a", "一".encode())]
    assert [len(draw) for draw in drawn] == [DRAW_BYTES] * 12
    assert len(set(drawn)) == 12
    # Files that were converted once come out the same in years to come.
    assert drawer(7, "group")(b"a").hex() == "38e922ccf257990d"


@given(st.lists(st.binary(max_size=300), max_size=9), st.integers(0, 9))
def test_many_keys_are_drawn_for_as_one_by_one(keys: list[bytes], seed: int) -> None:
    assert draws_of(iter(keys), seed, "t2i") == b"".join(map(drawer(seed, "t2i"), keys))


@given(st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1), max_size=30))
def test_the_least_half_comes_first_and_equal_draws_are_taken_in_their_order(numbers: list[int]) -> None:
    first = first_half(as_draws(numbers))
    least = sorted(range(len(numbers)), key=lambda place: (numbers[place], place))[: len(numbers) // 2]
    assert sorted(least) == np.flatnonzero(first).tolist()
