from collections.abc import Sequence

import pyarrow as pa
import pytest

from dt2it_ray.data.schema import DECISIONS, PAIRS
from dt2it_ray.rules.decisions import (
    add_consistency,
    decide,
    pairs_to_rejudge,
    planted_precision,
    planted_recall,
    training_pairs,
)
from dt2it_ray.rules.flips import vote_and_flip
from tests.rules.tables import numbered_pairs, score_table, scores_with_strengths, shuffled, vote_table

VOTERS = [-1.0, 1.0, -1.0, 1.0, 1.0, 1.0]
CHECKER = [-2.0, 3.0, 2.0, -1.0, -1.0, -1.0]
BALLOTS = [
    ("p02", "judge-0", False, "rejected"),
    ("p02", "judge-0", True, "rejected"),
    ("p03", "judge-0", False, "rejected"),
    ("p03", "judge-0", True, "tie"),
    ("p04", "judge-0", False, "chosen"),
    ("p04", "judge-0", True, "rejected"),
    ("p05", "judge-0", False, "invalid"),
    ("p05", "judge-0", True, "chosen"),
]


def voted(strengths: Sequence[float], planted: Sequence[bool] | None = None) -> pa.Table:
    """Votes in which every pair with a negative strength is flipped."""
    return vote_and_flip(numbered_pairs(len(strengths), planted), [scores_with_strengths(strengths)], share=1)


def worked_example(planted: Sequence[bool] | None = None) -> pa.Table:
    return decide(voted(VOTERS, planted), scores_with_strengths(CHECKER), vote_table(BALLOTS), required_votes=2)


def test_a_pair_is_consistent_if_the_direction_after_the_vote_scores_strictly_higher() -> None:
    marked = add_consistency(voted([-1, -1, 1, 1, 1]), scores_with_strengths([-2, 2, 2, -2, 0]))
    assert marked["consistent"].to_pylist() == [True, False, True, False, False]
    assert marked["consistency_strength"].to_pylist() == [-2, 2, 2, -2, 0]


def test_a_pair_without_a_score_is_not_consistent() -> None:
    marked = add_consistency(voted([1, -1]), score_table({"p00+": 1.0, "p01-": 1.0}))
    assert marked["consistent"].to_pylist() == [False, False]
    assert marked["consistency_strength"].to_pylist() == [None, None]


def test_what_the_scores_do_not_confirm_is_judged_again_in_the_direction_of_the_source() -> None:
    pairs = pairs_to_rejudge(voted(VOTERS), scores_with_strengths(CHECKER))
    assert pairs.schema.equals(PAIRS)
    assert pairs["pair_id"].to_pylist() == ["p02", "p03", "p04", "p05"]
    assert pairs["chosen_id"].to_pylist() == ["p02+", "p03+", "p04+", "p05+"]


def test_every_rule_once() -> None:
    decisions = worked_example()
    assert decisions.schema.equals(DECISIONS)
    assert decisions["rule"].to_pylist() == [
        *("consistent", "consistent", "votes", "votes", "votes_tied", "too_few_votes"),
    ]
    assert decisions["action"].to_pylist() == ["flipped", "kept", "flipped", "flipped", "dropped", "dropped"]
    assert decisions["chosen_id"].to_pylist() == ["p00-", "p01+", "p02-", "p03-", "p04+", "p05+"]
    assert decisions["votes_chosen"].to_pylist() == [None, None, 0, 0.5, 1, 1]
    assert decisions["votes_rejected"].to_pylist() == [None, None, 2, 1.5, 1, 0]
    assert decisions["valid_votes"].to_pylist() == [None, None, 2, 2, 2, 1]


def test_a_flipped_pair_whose_votes_confirm_the_source_is_kept() -> None:
    ballots = vote_table([("p00", "judge-0", False, "chosen"), ("p00", "judge-0", True, "chosen")])
    decisions = decide(voted([-1]), scores_with_strengths([2]), ballots, required_votes=2)
    assert decisions["flipped_by_vote"].to_pylist() == [True]
    assert decisions["action"].to_pylist() == ["kept"]
    assert decisions["chosen_id"].to_pylist() == ["p00+"]


@pytest.mark.parametrize("required", [0, 1])
def test_a_pair_that_nobody_judged_is_dropped_whatever_is_required(required: int) -> None:
    decisions = decide(voted([1]), scores_with_strengths([-1]), vote_table([]), required)
    assert decisions["rule"].to_pylist() == ["too_few_votes"]


def test_order_of_rows_changes_nothing() -> None:
    flips, scores, votes = voted(VOTERS), scores_with_strengths(CHECKER), vote_table(BALLOTS)
    there, back = decide(flips, scores, votes, 2), decide(shuffled(flips), shuffled(scores), shuffled(votes), 2)
    assert there.equals(back)


def test_training_pairs_are_those_kept_in_their_final_direction() -> None:
    pairs = training_pairs(worked_example())
    assert pairs.schema.equals(PAIRS)
    assert pairs["pair_id"].to_pylist() == ["p00", "p01", "p02", "p03"]
    assert pairs["chosen_id"].to_pylist() == ["p00-", "p01+", "p02-", "p03-"]
    assert pairs["rejected_id"].to_pylist() == ["p00+", "p01-", "p02+", "p03+"]
    assert pairs["strength"].to_pylist() == [2, 3, -2, 1]


def test_planted_recall_and_precision_count_flips_and_drops() -> None:
    # Acted on: p00, p02, p03, p04, p05. Planted: p00, p01, p02, p04.
    decisions = worked_example([True, True, True, False, True, False])
    assert planted_recall(decisions) == 3 / 4
    assert planted_precision(decisions) == 3 / 5


def test_planted_figures_are_unknown_without_planted_truth_or_without_action() -> None:
    assert planted_recall(worked_example()) is None
    assert planted_precision(worked_example()) is None
    nothing_done = decide(voted([1], [False]), scores_with_strengths([1]), vote_table([]), 1)
    assert planted_recall(nothing_done) is None
    assert planted_precision(nothing_done) is None


def test_no_pairs_give_no_decisions() -> None:
    decisions = decide(voted([]), scores_with_strengths([]), vote_table([]), 1)
    assert decisions.schema.equals(DECISIONS)
    assert training_pairs(decisions).num_rows == 0
