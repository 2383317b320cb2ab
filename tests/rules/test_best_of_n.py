import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.rules.best_of_n import Answered, best_of_n, divergence, expected_picks
from dt2it_ray.rules.intervals import Resampling

HOW = Resampling(samples=300)


def test_two_of_three_by_hand() -> None:
    # Pairs: {a, b} and {a, c} pick a (quality 1), {b, c} picks b (quality 5).
    assert expected_picks([1, 5, 9], [3, 2, 1]).tolist() == pytest.approx([5, 7 / 3, 1])


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3)), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_every_set_of_answers_counted_one_by_one_gives_the_same(answers: list[tuple[int, int]]) -> None:
    qualities, rewards = zip(*answers, strict=True)
    for n in range(1, len(answers) + 1):
        picks = []
        for drawn in itertools.combinations(answers, n):
            best = max(reward for _, reward in drawn)
            tied = [quality for quality, reward in drawn if reward == best]
            picks.append(sum(tied) / len(tied))
        assert expected_picks(qualities, rewards)[n - 1] == pytest.approx(np.mean(picks))


def test_a_reward_that_is_the_quality_is_the_oracle_and_a_constant_one_is_random() -> None:
    generator = np.random.default_rng(0)
    qualities = [generator.normal(size=8).tolist() for _ in range(40)]
    perfect = best_of_n([Answered(each, each) for each in qualities], HOW)
    blind = best_of_n([Answered(each, [0.0] * 8) for each in qualities], HOW)
    assert [point["n"] for point in perfect["curve"]] == list(range(1, 9))
    for point in perfect["curve"][1:]:
        assert point["picked"] == point["oracle"]
        assert point["gain_share"] == pytest.approx(1.0)
    for point in blind["curve"]:
        assert point["picked"]["value"] == pytest.approx(point["random"]["value"], abs=1e-6)
    assert perfect["peak"]["n"] == 8
    assert not perfect["over_optimised"]
    low, high = perfect["curve"][-1]["picked"]["interval"]
    assert low < perfect["curve"][-1]["picked"]["value"] < high


def test_a_reward_that_is_wrong_at_the_top_is_told_as_over_optimised() -> None:
    # The reward orders answers as the quality does, but likes the worst of all best.
    prompts = [Answered([0, 1, 2, 3, 4, 5, 6, -20 - k], [0, 1, 2, 3, 4, 5, 6, 7]) for k in range(12)]
    told = best_of_n(prompts, HOW)
    assert told["peak"]["n"] == 1
    assert told["over_optimised"]
    assert told["fall_after_peak"]["interval"][1] < 0
    rewards = [point["reward"] for point in told["curve"]]
    assert rewards == sorted(rewards)


def test_prompts_with_too_few_answers_are_left_out_of_the_whole_curve() -> None:
    prompts = [Answered([1, 2], [1, 2]), Answered([1, 2, 3], [1, 2, 3]), Answered([5, 5, 5], [1, 2, 3])]
    assert best_of_n(prompts, HOW)["most"] == 2
    told = best_of_n(prompts, HOW, most=3)
    assert (told["prompts"], told["left_out"]) == (2, 1)
    assert told["curve"][-1]["picked"]["value"] == 4.0
    assert best_of_n([], HOW)["curve"] == []


def test_how_far_a_pick_goes() -> None:
    assert divergence(1) == 0
    assert divergence(4) == pytest.approx(math.log(4) - 0.75)


def test_hundreds_of_answers_are_exact() -> None:
    values = list(range(1000))
    # The largest of n of the numbers 0 to 999 is n * 1001 / (n + 1) - 1 in the mean.
    assert expected_picks(values, values)[499] == pytest.approx(500 * 1001 / 501 - 1)


@pytest.mark.filterwarnings("error")
def test_values_at_the_ends_of_the_floats_have_a_finite_curve() -> None:
    told = best_of_n([Answered([1.7e308] * 3, [1.7e308, 1.7e308, -1.7e308])] * 12, HOW)
    assert all(math.isfinite(point[name]["value"]) for point in told["curve"] for name in ("picked", "oracle"))
    assert all(math.isfinite(point["reward"]) for point in told["curve"])
