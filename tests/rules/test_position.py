"""How positions are drawn and balanced over plain draws; `test_orders` has the rule for tables."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dt2it_ray.data.ids import content_id
from dt2it_ray.rules.position import DRAW_BYTES, drawer, draws_of, first_half


def as_draws(numbers: list[int]) -> bytes:
    return np.array(numbers, ">u8").tobytes()


def test_a_draw_is_the_beginning_of_a_content_hash() -> None:
    draw = drawer(7, "group")
    for key in ("", "a", "一"):
        assert draw(key.encode()).hex() == content_id("first", 7, "group", key)[: 2 * DRAW_BYTES]


@given(st.lists(st.binary(max_size=300), max_size=9), st.integers(0, 9))
def test_many_keys_are_drawn_for_as_one_by_one(keys: list[bytes], seed: int) -> None:
    assert draws_of(iter(keys), seed, "t2i") == b"".join(map(drawer(seed, "t2i"), keys))


@given(st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1), max_size=30))
def test_the_least_half_comes_first_and_equal_draws_are_taken_in_their_order(numbers: list[int]) -> None:
    first = first_half(as_draws(numbers))
    least = sorted(range(len(numbers)), key=lambda place: (numbers[place], place))[: len(numbers) // 2]
    assert sorted(least) == np.flatnonzero(first).tolist()
