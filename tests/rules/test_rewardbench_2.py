import math

import pytest

from dt2it_ray.errors import InputError
from dt2it_ray.rules.intervals import Resampling
from dt2it_ray.rules.rewardbench_2 import Scored, best_of_four, rewardbench_2_figures, ties_score


@pytest.mark.parametrize(
    ("rewards", "credit"),
    [([2, 1, 0, 0], 1.0), ([1, 2, 0, 0], 0.0), ([2, 2, 0, 0], 0.5), ([1, 1, 1, 1], 0.25), ([0, 2, 2, 0], 0.0)],
)
def test_a_tie_at_the_top_is_shared(rewards: list[float], credit: float) -> None:
    assert best_of_four(rewards, right=1) == credit


def test_the_ties_subset_by_hand() -> None:
    rows = [
        Scored("ref:1", "Ties", 1, [5, 1]),
        Scored("tied:1", "Ties", 2, [4, 3, 0]),
        Scored("ref:2", "Ties", 1, [1, 2]),
        Scored("tied:2", "Ties", 2, [9, 3, 2]),
    ]
    told = ties_score(rows)
    # Prompt 1: d = 1, m_tied = 3, m_ref = 4. Prompt 2: d = 6, m_tied = 1, m_ref = -1.
    assert (told["tied_accuracy"], told["ref_accuracy"]) == (1.0, 0.5)
    assert (told["wider_than_spread"], told["both_wider_than_spread"]) == (0.5, 0.5)
    closeness = (math.tanh(3 / 1 - 1) + math.tanh(-1 / 6 - 1)) / 2
    assert told["accuracy"] == pytest.approx(0.3 + 0.15 + 0.1 + 0.1 + 0.01 * closeness)


def test_equal_right_answers_have_no_spread_and_no_undefined_share() -> None:
    told = ties_score([Scored("ref:1", "Ties", 1, [0, 0]), Scored("tied:1", "Ties", 2, [0, 0, 0])])
    assert told["closeness"] == 0.0
    assert told["accuracy"] == 0.0


def test_an_id_of_another_form_is_an_error() -> None:
    with pytest.raises(InputError, match="neither ref:N nor tied:N"):
        ties_score([Scored("7", "Ties", 1, [1, 0])])


def test_the_headline_is_the_mean_of_the_subsets_and_lost_rows_score_nothing() -> None:
    rows = [Scored("1", "Math", 1, [2, 1, 0, 0]), Scored("2", "Math", 1, None), Scored("3", "Focus", 1, [2, 1, 0, 0])]
    told = rewardbench_2_figures(rows, Resampling())
    assert (told["accuracy"], told["n"], told["unscored"]) == (0.75, 3, 1)
    assert told["categories"]["Math"] == {"accuracy": 0.5, "n": 2, "correct": 1, "ties": 0}


def test_the_headline_is_the_macro_figure_with_ties_and_an_interval_over_rows_and_prompts() -> None:
    four = [Scored(str(place), "Math", 1, [1, place % 2, 0, 0]) for place in range(40)]
    ties = [Scored(f"{part}:{place}", "Ties", 1, [1, place % 2 * 2]) for place in range(30) for part in ("ref", "tied")]
    told = rewardbench_2_figures([*four, *ties], Resampling(samples=4000))
    # Half of the first subset are ties of two. Half of the prompts of the other are right, with a spread of 0.
    assert told["categories"]["Math"]["accuracy"] == 0.75
    assert told["categories"]["Ties"]["accuracy"] == pytest.approx(0.5)
    assert (told["accuracy"], told["macro_accuracy"], told["acc_plus"]) == (
        pytest.approx(0.625),
        told["accuracy"],
        None,
    )
    assert told["ties"] == 20
    # Standard errors: 0.25 / sqrt(40) of the first mean, 0.505 / sqrt(30) of the second; the mean of both has half.
    wide = 1.96 * math.sqrt(0.25**2 / 40 + 0.505**2 / 30) / 2
    assert told["interval"] == pytest.approx((0.625 - wide, 0.625 + wide), abs=0.01)


def test_an_interval_needs_rows_that_differ() -> None:
    assert rewardbench_2_figures([Scored("1", "Math", 1, [1, 0])], Resampling())["interval"] is None
    assert rewardbench_2_figures([], Resampling())["interval"] is None
