import numpy as np
import pytest

from dt2it_ray.rules.intervals import MOST_BAGS, Resampling, estimate, estimate_share, wilson

HOW = Resampling()


def coin(prompts: int, each: int, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Hits of prompts whose elements all say the same, and their prompts."""
    heads = np.random.default_rng(seed).random(prompts) < share
    return np.repeat(heads, each).astype(float), np.repeat(np.arange(prompts), each)


def test_nothing_counted_is_no_figure() -> None:
    told = estimate_share(np.zeros(0), np.zeros(0, int), HOW, "no_pairs")
    assert (told.value, told.low, told.interval, told.n, told.note) == (None, None, None, 0, "no_pairs")


def test_the_width_is_that_of_independent_prompts_not_of_their_elements() -> None:
    hits, prompts = coin(400, each=6, share=0.3)
    told = estimate_share(hits, prompts, HOW, "")
    assert told.low is not None
    assert told.high is not None
    assert (told.n, told.prompts, told.interval, told.note) == (2400, 400, "bootstrap", None)
    assert told.value == pytest.approx(hits.mean(), abs=1e-6)
    assert told.high - told.low == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 400), rel=0.12)


def test_bags_keep_the_width() -> None:
    hits, prompts = coin(6 * MOST_BAGS + 7, each=1, share=0.5)
    told = estimate_share(hits, prompts, HOW, "")
    assert told.low is not None
    assert told.high is not None
    assert told.high - told.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / len(hits)), rel=0.12)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_unanimous_prompts_have_the_interval_of_wilson_by_prompt(share: float) -> None:
    told = estimate_share(np.full(200, share), np.repeat(np.arange(20), 10), HOW, "")
    assert told.interval == "wilson"
    assert (told.low, told.high) == pytest.approx(wilson(20 * share, 20), abs=1e-6)
    assert told.low != told.high


def test_prompts_that_all_say_one_half_are_not_thought_certain() -> None:
    told = estimate_share(np.tile([0.0, 1.0], 20), np.repeat(np.arange(20), 2), Resampling(), "none")
    assert (told.value, told.n, told.interval) == (0.5, 40, "wilson")
    assert (told.low, told.high) == pytest.approx(wilson(10, 20), abs=1e-6)


def test_wilson_gives_the_published_interval() -> None:
    # Newcombe 1998, table I: 81 of 263 and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_few_prompts_have_a_value_without_an_interval() -> None:
    hits, prompts = coin(9, each=2, share=0.5)
    told = estimate_share(hits, prompts, HOW, "")
    assert (told.low, told.high, told.interval, told.note) == (None, None, None, "too_few_prompts")
    assert told.value is not None


def test_a_statistic_that_is_not_defined_says_so() -> None:
    told = estimate(np.zeros((30, 2)), np.arange(30), lambda sums: sums[..., 0] / sums[..., 1], HOW, "")
    assert (told.value, told.note, told.n) == (None, "no_variation", 30)


def test_the_seed_and_nothing_else_draws() -> None:
    hits, prompts = coin(60, each=2, share=0.4)
    assert estimate_share(hits, prompts, HOW, "") == estimate_share(hits, prompts, HOW, "")
    assert estimate_share(hits, prompts, HOW, "") != estimate_share(hits, prompts, Resampling(seed=1), "")
    narrow = estimate_share(hits, prompts, Resampling(level=0.5), "")
    wide = estimate_share(hits, prompts, HOW, "")
    ends = [end for end in (wide.low, narrow.low, narrow.high, wide.high) if end is not None]
    assert len(set(ends)) == 4
    assert ends == sorted(ends)
