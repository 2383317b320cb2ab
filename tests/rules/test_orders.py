import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.rules.position import assign_first
from dt2it_ray.rules.shown_order import shown_order

IDS = [f"pair-{place}" for place in range(10)]
ANSWERS = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=6, unique=True)


@given(st.lists(st.sampled_from("xyz"), max_size=25), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_floor_of_half_of_every_group_shows_the_preferred_image_first(groups: list[str], seed: int) -> None:
    first = assign_first(
        pa.array([f"{n}" for n in range(len(groups))]), pa.array(groups, pa.string()), seed
    ).to_pylist()
    for group in set(groups):
        members = [flag for flag, name in zip(first, groups, strict=True) if name == group]
        assert sum(members) == len(members) // 2


def test_positions_do_not_depend_on_the_order_of_rows() -> None:
    groups = ["a", "b"] * 5
    there = dict(zip(IDS, assign_first(pa.array(IDS), pa.array(groups)).to_pylist(), strict=True))
    back = assign_first(pa.chunked_array([IDS[:4:-1], IDS[4::-1]]), pa.chunked_array([groups[::-1]]))
    assert dict(zip(IDS[::-1], back.to_pylist(), strict=True)) == there


def test_another_seed_gives_other_positions() -> None:
    drawn = {tuple(assign_first(pa.array(IDS), pa.array(["a"] * 10), seed).to_pylist()) for seed in range(5)}
    assert len(drawn) > 1


@given(ANSWERS, st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_the_order_shown_is_a_permutation_by_content_and_odd_passes_reverse_it(answers: list[str], turn: int) -> None:
    order = shown_order(answers, "prompt", turn)
    assert sorted(order) == list(range(len(answers)))
    shown = [answers[place] for place in order]
    assert [answers[::-1][place] for place in shown_order(answers[::-1], "prompt", turn)] == shown
    other = shown_order(answers, "prompt", turn ^ 1)
    assert other == order[::-1]


def test_prompts_and_even_passes_are_shuffled_differently() -> None:
    answers = list("abcdef")
    orders = {tuple(shown_order(answers, key, turn)) for key in ("x", "y") for turn in (0, 2)}
    assert len(orders) == 4
