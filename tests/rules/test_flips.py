import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.data.schema import PAIRS
from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.flips import VOTED, strengths_of, vote_and_flip, voted_pairs
from tests.rules.tables import numbered_pairs, pair_table, score_table, scores_with_strengths, shuffled

STRENGTHS = st.lists(st.integers(-8, 8).map(lambda n: n / 4), min_size=1, max_size=12)


def flipped_of(voted: pa.Table) -> list[str]:
    return voted.filter(voted["flipped_by_vote"])["pair_id"].to_pylist()


def test_the_worst_half_of_the_negative_pairs_is_flipped() -> None:
    voted = vote_and_flip(numbered_pairs(6), [scores_with_strengths([-1, 2, -3, -2, -0.5, 0])])
    assert voted.schema.equals(VOTED)
    assert flipped_of(voted) == ["p02", "p03"]
    assert voted["flip_threshold"].to_pylist() == [-2] * 6


def test_strengths_of_voters_are_averaged() -> None:
    voters = [scores_with_strengths([-1, -1]), scores_with_strengths([3, -2])]
    voted = vote_and_flip(numbered_pairs(2), voters, share=1)
    assert voted["vote_strength"].to_pylist() == [1, -1.5]
    assert voted["voter_strengths"].to_pylist() == [[-1, 3], [-1, -2]]
    assert flipped_of(voted) == ["p01"]


@pytest.mark.parametrize(("negative", "flipped"), [(0, 0), (1, 0), (2, 1), (3, 1), (5, 2)])
def test_half_is_rounded_down(negative: int, flipped: int) -> None:
    voted = vote_and_flip(numbered_pairs(6), [scores_with_strengths([-1.0] * negative + [1.0] * (6 - negative))])
    assert len(flipped_of(voted)) == flipped
    assert voted["flip_threshold"][0].as_py() == (-1 if flipped else None)


@pytest.mark.parametrize(("share", "flipped"), [(0.7, 63), (0.1, 9), (0.3, 27), (0.75, 67)])
def test_a_share_that_gives_a_whole_number_loses_none_to_float_error(share: float, flipped: int) -> None:
    voted = vote_and_flip(numbered_pairs(90), [scores_with_strengths([-1.0] * 90)], share)
    assert len(flipped_of(voted)) == flipped


def test_equal_strengths_go_by_pair_id() -> None:
    voted = vote_and_flip(shuffled(numbered_pairs(4)), [scores_with_strengths([-1] * 4)])
    assert flipped_of(voted) == ["p00", "p01"]


def test_zero_strength_is_not_negative() -> None:
    assert flipped_of(vote_and_flip(numbered_pairs(2), [scores_with_strengths([0, 0])], share=1)) == []


@given(STRENGTHS, STRENGTHS, st.sampled_from(["none", "rms"]))
@settings(max_examples=30, deadline=None)
def test_order_of_rows_changes_nothing(first: list[float], second: list[float], normalise: str) -> None:
    count = min(len(first), len(second))
    pairs, voters = numbered_pairs(count), [scores_with_strengths(each[:count]) for each in (first, second)]
    voted = vote_and_flip(pairs, voters, 0.5, normalise)  # pyright: ignore[reportArgumentType]
    other = vote_and_flip(shuffled(pairs), [shuffled(each) for each in voters], 0.5, normalise)  # pyright: ignore[reportArgumentType]
    assert voted.equals(other)


@given(STRENGTHS)
@settings(max_examples=30, deadline=None)
def test_swapped_pairs_have_opposite_strengths_and_end_in_the_same_direction_if_all_flip(
    strengths: list[float],
) -> None:
    pairs, scores = numbered_pairs(len(strengths)), scores_with_strengths(strengths)
    swapped = pair_table(
        zip(*(pairs[name].to_pylist() for name in ("pair_id", "rejected_id", "chosen_id")), strict=True)
    )
    one, other = vote_and_flip(pairs, [scores], share=1), vote_and_flip(swapped, [scores], share=1)
    assert one["vote_strength"].to_pylist() == [-strength for strength in other["vote_strength"].to_pylist()]
    chosen = [voted_pairs(voted)["chosen_id"].to_pylist() for voted in (one, other)]
    assert [a for a, s in zip(chosen[0], strengths, strict=True) if s] == [
        b for b, s in zip(chosen[1], strengths, strict=True) if s
    ]


def test_rms_makes_scales_comparable_and_keeps_signs() -> None:
    loud, quiet = scores_with_strengths([100, -100, 100]), scores_with_strengths([-0.01, -0.02, 0.01])
    plain = vote_and_flip(numbered_pairs(3), [loud, quiet], share=1)
    fair = vote_and_flip(numbered_pairs(3), [loud, quiet], share=1, normalise="rms")
    louder = vote_and_flip(numbered_pairs(3), [scores_with_strengths([1, -1, 1]), quiet], share=1, normalise="rms")
    assert plain["vote_strength"][0].as_py() == pytest.approx(49.995)
    assert fair["vote_strength"].to_pylist() == pytest.approx(louder["vote_strength"].to_pylist())
    signs = np.sign([pair[1] for pair in fair["voter_strengths"].to_pylist()])
    assert signs.tolist() == [-1, -1, 1]


def test_rms_of_a_voter_without_opinion_is_zero() -> None:
    voted = vote_and_flip(numbered_pairs(2), [scores_with_strengths([0, 0])], normalise="rms")
    assert voted["vote_strength"].to_pylist() == [0, 0]


def test_a_pair_without_a_score_is_not_flipped() -> None:
    voters = [scores_with_strengths([-1, -1]), score_table({"p00+": -1.0, "p00-": 0.0, "p01+": -9.0})]
    voted = vote_and_flip(numbered_pairs(2), voters, share=1, normalise="rms")
    assert voted["vote_strength"].to_pylist() == [-1, None]
    assert voted["voter_strengths"].to_pylist()[1] == [-1, None]
    assert flipped_of(voted) == ["p00"]


def test_no_pairs_give_no_rows() -> None:
    voted = vote_and_flip(numbered_pairs(0), [scores_with_strengths([])])
    assert voted.schema.equals(VOTED)
    assert voted.num_rows == 0


def test_no_voter_is_an_error() -> None:
    with pytest.raises(StageFailed, match="at least one voter"):
        vote_and_flip(numbered_pairs(1), [])


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_broken_score_is_an_error_that_names_the_answer(score: float) -> None:
    with pytest.raises(StageFailed, match=r"p00\+"):
        strengths_of(numbered_pairs(1), score_table({"p00+": score, "p00-": 0.0}))


def test_an_answer_scored_twice_is_an_error() -> None:
    scores = scores_with_strengths([1])
    with pytest.raises(StageFailed, match="2 answers are scored twice"):
        strengths_of(numbered_pairs(1), pa.concat_tables([scores, scores]))


def test_pairs_after_the_vote_turn_with_their_strength() -> None:
    pairs = voted_pairs(vote_and_flip(numbered_pairs(2), [scores_with_strengths([-1, 2])], share=1))
    assert pairs.schema.equals(PAIRS)
    assert pairs["chosen_id"].to_pylist() == ["p00-", "p01+"]
    assert pairs["rejected_id"].to_pylist() == ["p00+", "p01-"]
    assert pairs["strength"].to_pylist() == [1, 2]
