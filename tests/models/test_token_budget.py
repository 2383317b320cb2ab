"""Groups are packed under a budget of tokens: each once, passes evenly full or of like lengths, never one too large."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from dt2it_ray.models.token_budget import Size, fill_passes

GROUPS = st.lists(st.builds(Size, tokens=st.integers(2, 80), rows=st.integers(1, 4), longest=st.integers(1, 40)))


def tokens(sizes: Sequence[Size], places: Sequence[int], padded: bool) -> int:
    taken = [sizes[place] for place in places]
    if padded:
        return sum(size.rows for size in taken) * max(size.longest for size in taken)
    return sum(size.tokens for size in taken)


def packed(lengths: Sequence[int]) -> list[Size]:
    return [Size(length, 2, length) for length in lengths]


@given(sizes=GROUPS, budget=st.integers(1, 200), padded=st.booleans())
def test_every_group_is_in_one_pass_and_only_a_group_alone_may_be_larger_than_the_budget(
    sizes: list[Size], budget: int, padded: bool
) -> None:
    passes = fill_passes(sizes, budget, padded)
    assert sorted(place for places in passes for place in places) == list(range(len(sizes)))
    assert all(len(places) == 1 or tokens(sizes, places, padded) <= budget for places in passes)
    assert all(passes)


@given(lengths=st.lists(st.integers(1, 50), min_size=1), budget=st.integers(1, 200))
def test_packed_passes_are_more_than_half_full_beyond_the_groups_that_fill_one(lengths: list[int], budget: int) -> None:
    passes = fill_passes(packed(lengths), budget, padded=False)
    shared = [sum(lengths[place] for place in places) for places in passes if lengths[places[0]] < budget]
    assert len(shared) <= 1 + 2 * sum(shared) / budget


def test_packed_passes_are_equally_full() -> None:
    lengths = [100, 10, 90, 20, 80, 30, 70, 40]
    passes = fill_passes(packed(lengths), 300, padded=False)
    assert [sum(lengths[place] for place in places) for places in passes] == [220, 220]
    assert fill_passes(packed(lengths), 440, padded=False) == [[0, 2, 4, 6, 7, 5, 3, 1]]


def test_padded_passes_hold_rows_of_like_length() -> None:
    sizes = [Size(2 * longest, 2, longest) for longest in (100, 10, 90, 20, 80, 30, 70, 40)]
    passes = fill_passes(sizes, 400, padded=True)
    assert [[sizes[place].longest for place in places] for places in passes] == [[100, 90], [80, 70], [40, 30, 20, 10]]


def test_a_group_larger_than_the_budget_goes_alone() -> None:
    assert fill_passes(packed([5, 50, 5]), 20, padded=False) == [[1], [0, 2]]
    assert fill_passes(packed([5, 50, 5]), 20, padded=True) == [[1], [0, 2]]
    assert fill_passes([], 20, padded=False) == []
