"""Figures of a benchmark equal hand-computed ones."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from dt2it_ray.rules.benchmark_figures import ScoredPairs, benchmark_figures
from dt2it_ray.rules.intervals import Resampling

HOW = Resampling(samples=500, level=0.95, seed=0)


def scored(
    categories: Sequence[str],
    rights: Sequence[float | None],
    groups: Sequence[str] = (),
    lengths: Sequence[tuple[int, int]] = (),
) -> ScoredPairs:
    """Pairs with a reward of 1 for right, 0 for wrong, 0.5 for a tie, against 0.5; None is no reward."""
    return ScoredPairs(
        names=[str(place) for place in range(len(rights))],
        categories=categories,
        groups=groups or [str(place) for place in range(len(rights))],
        chosen=rights,
        rejected=[0.5] * len(rights),
        lengths=np.array(lengths or [(2, 1)] * len(rights), np.int64),
    )


def test_ties_and_lost_pairs_are_wrong_officially_and_told_apart() -> None:
    told = benchmark_figures("own", scored(["a"] * 5, [1, 1, 0, 0.5, None]), HOW)
    assert (told["n"], told["correct"], told["ties"], told["unscored"]) == (5, 2, 1, 1)
    assert (told["accuracy"], told["accuracy_ties_half"], told["accuracy_scored"]) == (0.4, 0.5, 0.5)
    assert told["calibration"]["n"] == 4


def test_both_means_with_what_they_are_over() -> None:
    told = benchmark_figures("vl_rewardbench", scored(["general"] * 3 + ["reasoning"], [1, 1, 1, 0]), HOW)
    assert (told["accuracy"], told["macro_accuracy"], told["macro_over"]) == (0.75, 0.5, "prefixes of cal.py")
    assert benchmark_figures("own", scored(["x"], [1]), HOW)["macro_over"] == "categories in the file"


def test_multimodal_rewardbench_has_splits_columns_and_a_figure_without_safety() -> None:
    categories = ["safety/bias", "safety/toxicity", "reasoning/math", "reasoning/coding", "reasoning/coding", "vqa"]
    told = benchmark_figures("multimodal_rewardbench", scored(categories, [1, 0, 1, 1, 0, 1]), HOW)
    assert told["accuracy"] == 4 / 6
    assert told["macro_accuracy"] == (1 + 0 + 1 + 0.5 + 1) / 5
    columns = told["columns"]["scores"]
    assert (columns["safety"]["accuracy"], columns["reasoning"]["accuracy"]) == (0.5, 2 / 3)
    assert columns["knowledge"] == {"accuracy": None, "n": 0, "correct": 0}
    assert told["columns"]["macro_accuracy"] == pytest.approx((0.5 + 2 / 3 + 1) / 3)
    without = told["without_safety"]
    assert (without["n"], without["correct"], without["accuracy"]) == (4, 3, 0.75)


def test_the_sections_of_rewardbench_weigh_mathematics_like_code() -> None:
    categories = ["math-prm", "hep-go", "hep-go", "alpacaeval-easy", "mt-bench-easy", "mt-bench-easy"]
    told = benchmark_figures("rewardbench", scored(categories, [0, 1, 1, 1, 1, 0]), HOW)
    scores = told["columns"]["scores"]
    assert scores["Reasoning"]["accuracy"] == 164 / (984 + 164)
    assert scores["Chat"]["accuracy"] == (100 * 1 + 28 * 0.5) / 128
    assert told["macro_accuracy"] == (164 / 1148 + 114 / 128) / 2
    assert told["macro_over"] == "sections of constants.py"


def test_acc_plus_needs_every_pair_of_an_id_and_is_told_by_category() -> None:
    categories, groups = ["mcq"] * 3 + ["long"] * 2, ["a", "a", "b", "c", "c"]
    told = benchmark_figures("mm_rlhf_rewardbench", scored(categories, [1, 0, 1, 1, 1], groups), HOW)
    assert (told["accuracy"], told["acc_plus"], told["groups"], told["groups_correct"]) == (0.8, 2 / 3, 3, 2)
    assert (told["categories"]["mcq"]["acc_plus"], told["categories"]["long"]["acc_plus"]) == (0.5, 1.0)
    elsewhere = benchmark_figures("vl_rewardbench", scored(categories, [1, 0, 1, 1, 1], groups), HOW)
    assert elsewhere["acc_plus"] is None
    assert "acc_plus" not in elsewhere["categories"]["mcq"]


def test_length_baselines_stand_beside_every_number() -> None:
    lengths = [(9, 1), (9, 1), (1, 9), (5, 5)]
    told = benchmark_figures("own", scored(["a", "a", "b", "b"], [1, 1, 1, 1], lengths=lengths), HOW)
    assert (told["longer_wins"], told["shorter_wins"]) == (0.5, 0.25)
    assert (told["categories"]["b"]["longer_wins"], told["categories"]["b"]["shorter_wins"]) == (0.0, 0.5)


def test_votes_have_no_calibration() -> None:
    assert benchmark_figures("own", scored(["a"], [1]), HOW, margins=False)["calibration"] is None


@pytest.mark.filterwarnings("error")
def test_rewards_at_the_ends_of_the_floats_have_finite_figures() -> None:
    pairs = replace(scored(["a"] * 3, [1, 1, 1]), chosen=[-1.7e308, 1.7e308, 1.7e308], rejected=[1.7e308, 0, -1.7e308])
    told = benchmark_figures("own", pairs, HOW)
    assert (told["accuracy"], told["ties"]) == (2 / 3, 0)
    json.dumps(told, allow_nan=False)


def test_categories_that_are_in_no_column_are_named() -> None:
    told = benchmark_figures("rewardbench", scored(["donotanswer", "mt-bench-medium"], [1, 0]), HOW)
    assert (told["macro_accuracy"], told["columns"]["left_out"]) == (1.0, ["mt-bench-medium"])
    assert benchmark_figures("rewardbench", scored(["donotanswer"], [1]), HOW)["columns"]["left_out"] == []
