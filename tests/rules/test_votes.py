import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.errors import StageFailed
from dt2it_ray.rules.votes import COUNTS, Verdict, compare_shown, count_votes
from tests.rules.tables import shuffled, vote_table

SCORE = st.floats(0, 10)


def test_two_judges_in_both_orders() -> None:
    ballots = [
        ("b", "j0", False, "chosen"),
        ("b", "j0", True, "tie"),
        ("b", "j1", False, "invalid"),
        ("b", "j1", True, "rejected"),
        ("a", "j0", False, "tie"),
    ]
    counts = count_votes(vote_table(ballots))
    assert counts.schema.equals(COUNTS)
    assert counts.to_pylist() == [
        {"pair_id": "a", "votes_chosen": 0.5, "votes_rejected": 0.5, "valid_votes": 1},
        {"pair_id": "b", "votes_chosen": 1.5, "votes_rejected": 1.5, "valid_votes": 3},
    ]
    assert counts.equals(count_votes(shuffled(vote_table(ballots))))


@given(st.lists(st.sampled_from(list(Verdict)), max_size=6))
@settings(max_examples=30, deadline=None)
def test_swapped_verdicts_give_swapped_counts_and_valid_votes_are_shared_out(verdicts: list[Verdict]) -> None:
    tables = [
        count_votes(vote_table([("p", f"j{place}", False, str(verdict)) for place, verdict in enumerate(each)]))
        for each in (verdicts, [verdict.swap() for verdict in verdicts])
    ]
    one, other = (table.to_pylist() for table in tables)
    assert [row["votes_chosen"] for row in one] == [row["votes_rejected"] for row in other]
    assert all(row["votes_chosen"] + row["votes_rejected"] == row["valid_votes"] for row in one)


@given(SCORE, SCORE, st.booleans())
@settings(max_examples=30, deadline=None)
def test_showing_the_answers_the_other_way_round_says_the_same(first: float, second: float, swapped: bool) -> None:
    verdict = compare_shown(first, second, swapped)
    assert compare_shown(second, first, not swapped) == verdict
    assert compare_shown(second, first, swapped) == verdict.swap()
    assert (verdict == Verdict.TIE) == (first == second)


def test_the_first_shown_is_the_rejected_one_when_swapped() -> None:
    assert compare_shown(8, 7, swapped=False) == Verdict.CHOSEN
    assert compare_shown(8, 7, swapped=True) == Verdict.REJECTED


def test_no_votes_give_no_counts() -> None:
    assert count_votes(vote_table([])).schema.equals(COUNTS)


def test_a_judge_that_votes_twice_in_one_order_is_an_error() -> None:
    with pytest.raises(StageFailed, match="judge j0 votes 2 times on pair p with swapped=True"):
        count_votes(vote_table([("p", "j0", True, "tie"), ("p", "j0", True, "chosen"), ("p", "j0", False, "tie")]))


def test_an_unknown_verdict_is_an_error() -> None:
    with pytest.raises(StageFailed, match="'first' on pair p"):
        count_votes(vote_table([("p", "j0", True, "first")]))
