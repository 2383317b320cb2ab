"""Labels of two constructions are compared prompt by prompt."""

import numpy as np
import pyarrow as pa
import pytest

from dt2it_ray.data.answer_tables import LABEL_TRUTH
from dt2it_ray.rules.intervals import Resampling
from dt2it_ray.rules.label_contrast import label_contrast
from dt2it_ray.rules.label_precision import label_precision
from tests.rules.tables import shuffled

HOW = Resampling()


def truths(margins: list[list[float]]) -> pa.Table:
    """LABEL_TRUTH of prompts with these margins of their pairs."""
    rows = [
        {"pair_id": f"{prompt}-{place}", "prompt_id": f"p{prompt}", "truth": None, "margin": margin}
        for prompt, pairs in enumerate(margins)
        for place, margin in enumerate(pairs)
    ]
    return pa.Table.from_pylist(rows, schema=LABEL_TRUTH)


def easy_and_hard(prompts: int) -> list[list[float]]:
    """Half of the prompts have ten right labels, the others ten wrong ones."""
    return [[1.0 if prompt % 2 else -1.0] * 10 for prompt in range(prompts)]


def test_the_same_labels_do_not_differ() -> None:
    table = truths(easy_and_hard(40))
    told = label_contrast(table, table, HOW).precision
    assert (told.difference.value, told.difference.low, told.difference.high, told.p_value) == (0, 0, 0, 1)


def test_a_steady_small_gain_is_seen_where_the_intervals_of_the_shares_overlap() -> None:
    before = easy_and_hard(200)
    after = [[1.0, *pairs[1:]] if number % 4 == 0 else pairs for number, pairs in enumerate(before)]
    alone = [label_precision(truths(pairs), HOW).precision for pairs in (before, after)]
    assert alone[1].low is not None
    assert alone[0].high is not None
    assert alone[1].low < alone[0].high
    told = label_contrast(truths(before), truths(after), HOW).precision
    assert told.difference.value == pytest.approx(0.025)
    assert told.difference.low is not None
    assert 0.01 < told.difference.low < 0.025
    assert told.p_value == pytest.approx(2 / 1001, abs=1e-6)


def test_chance_alone_is_not_called_a_gain() -> None:
    draw = np.random.default_rng(5)
    one, other = ([[float(draw.choice([-1, 1]))] for _ in range(300)] for _ in range(2))
    told = label_contrast(truths(one), truths(other), HOW).precision
    assert told.difference.low is not None
    assert told.difference.high is not None
    assert told.difference.low < 0 < told.difference.high
    assert told.p_value is not None
    assert told.p_value > 0.05


def test_the_order_of_the_two_turns_the_sign_and_that_of_rows_nothing() -> None:
    one, other = truths(easy_and_hard(60)), truths([[1.0, -1.0, 0.0]] * 60)
    there, back = label_contrast(one, other, HOW), label_contrast(other, one, HOW)
    for figure in ("precision", "precision_of_unequal"):
        first, second = getattr(there, figure).difference, getattr(back, figure).difference
        assert first.value == pytest.approx(-second.value, abs=1e-6)
    assert there == label_contrast(shuffled(one), shuffled(other), HOW)


def test_equally_good_answers_count_in_one_of_the_shares_only() -> None:
    told = label_contrast(truths([[1.0, 0.0]] * 20), truths([[1.0, 1.0]] * 20), HOW)
    assert told.precision.difference.value == 0.5
    assert told.precision_of_unequal.difference.value == 0


def test_without_pairs_on_one_side_there_is_no_difference() -> None:
    full, empty = truths([[1.0]] * 20), truths([])
    for one, other in ((full, empty), (empty, empty)):
        told = label_contrast(one, other, HOW).precision
        assert (told.difference.value, told.p_value) == (None, None)


def test_few_prompts_have_a_difference_without_a_p_value() -> None:
    told = label_contrast(truths([[1.0]] * 5), truths([[-1.0]] * 5), HOW).precision
    assert (told.difference.value, told.difference.note, told.p_value) == (-1, "too_few_prompts", None)


@pytest.mark.parametrize("turn", [1, -1])
def test_a_side_of_few_prompts_is_not_thought_certain(turn: int) -> None:
    few, many = truths([[1.0, 1.0]] * 3), truths(easy_and_hard(60))
    told = label_contrast(*(few, many)[::turn], HOW).precision
    assert told.difference.value == -0.5 * turn
    assert (told.difference.low, told.difference.interval, told.difference.note) == (None, None, "too_few_prompts")
    assert told.p_value is None
