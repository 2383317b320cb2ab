"""Pairs of images from scores and ranks: direction, strength, ties, gaps, and how many."""

from hypothesis import given
from hypothesis import strategies as st

from dt2it_ray.rules.t2i_pairs import ImagePair, at_most, form_pairs

SCORES = st.lists(st.integers(0, 4).map(float), min_size=2, max_size=6)


@given(SCORES)
def test_every_two_images_are_a_pair_in_the_direction_of_their_scores(scores: list[float]) -> None:
    pairs = form_pairs(scores)
    assert len(pairs) == len(scores) * (len(scores) - 1) // 2
    for better, worse, strength, tied in pairs:
        assert strength == scores[better] - scores[worse] >= 0
        assert tied == (strength == 0)


@given(SCORES)
def test_negated_scores_turn_every_preference(scores: list[float]) -> None:
    turned = {(pair.worse, pair.better) for pair in form_pairs([-score for score in scores], keep_ties=False)}
    assert turned == {(pair.better, pair.worse) for pair in form_pairs(scores, keep_ties=False)}


def test_the_best_is_paired_with_each_of_the_others() -> None:
    assert form_pairs([1, 3, 2], "best") == (ImagePair(1, 0, 2), ImagePair(1, 2, 1))


def test_ties_and_near_scores_are_left_out_when_asked() -> None:
    assert form_pairs([1, 1]) == (ImagePair(0, 1, 0, tied=True),)
    assert form_pairs([1, 1], keep_ties=False) == ()
    assert form_pairs([1, 1.5, 3], least_gap=1.5) == (ImagePair(2, 0, 2), ImagePair(2, 1, 1.5))


def test_a_gap_is_read_as_the_decimals_of_its_scores_say() -> None:
    assert form_pairs([0.3, 0.1], least_gap=0.2) == (ImagePair(0, 1, 0.2),)
    assert form_pairs([0.1 + 0.2, 0.3]) == (ImagePair(0, 1, 0, tied=True),)


def test_at_most_so_many_pairs_are_drawn_by_content() -> None:
    names = list("abcde")
    pairs = form_pairs([5, 4, 3, 2, 1])
    kept = at_most(pairs, 4, names, seed=1)
    assert len(kept) == 4
    assert list(kept) == [pair for pair in pairs if pair in kept]
    backwards = at_most(form_pairs([1, 2, 3, 4, 5]), 4, names[::-1], seed=1)
    shown = {(names[pair.better], names[pair.worse]) for pair in kept}
    assert {(names[::-1][pair.better], names[::-1][pair.worse]) for pair in backwards} == shown
    assert at_most(pairs, 0, names, seed=1) == pairs
    assert len({at_most(pairs, 4, names, seed) for seed in range(8)}) > 1
