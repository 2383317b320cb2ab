"""Predictions follow the order of the rows, and whatever does not fit is an error that names row and id."""

from collections.abc import Sequence
from typing import Any

import pytest

from dt2it_ray.errors import InputError
from dt2it_ray.rules.predictions import PlacedItem, align, align_many

ROWS = [PlacedItem("d.jsonl row 1", "a", 0), PlacedItem("d.jsonl row 2", "b", 1), PlacedItem("d.jsonl row 3", "a", 1)]


def laid(predictions: Sequence[Any], rows: Sequence[PlacedItem] = ROWS) -> list[Any]:
    return align(rows, [(f"row {place}", fields) for place, fields in enumerate(predictions, 1)], "p.jsonl")


def named(item: Any, chosen: Any, rejected: Any) -> dict[str, Any]:
    return {"id": item, "chosen": chosen, "rejected": rejected}


def test_rewards_are_in_the_order_of_the_responses_and_named_ones_are_not_turned() -> None:
    predictions = [{"id": "a", "rewards": [2, 1]}, {"id": "b", "rewards": [2, 1]}, named("a", 0.25, -0.5)]
    assert laid(predictions) == [(2.0, 1.0), (1.0, 2.0), (0.25, -0.5)]


def test_equal_ids_take_the_prediction_at_their_own_place() -> None:
    assert laid([named("a", 1, 0), named("b", 1, 0), named("a", 0, 1)])[::2] == [(1.0, 0.0), (0.0, 1.0)]


def test_numbers_and_texts_are_the_same_id() -> None:
    assert laid([named(7, 1, 0)], [PlacedItem("row 1", "7", 0)]) == [(1.0, 0.0)]


def test_a_row_without_an_id_asks_for_none() -> None:
    assert laid([{"rewards": [1, 0]}], [PlacedItem("row 1", None, 0)]) == [(1.0, 0.0)]


def test_a_prediction_that_says_why_there_are_no_rewards_is_none() -> None:
    assert laid([{"id": "a", "dropped": "image_missing"}], ROWS[:1]) == [None]


def test_a_missing_prediction_at_the_end_names_row_and_id() -> None:
    with pytest.raises(InputError, match=r"d.jsonl row 3 \(id a\) has no prediction: p.jsonl ends after 2"):
        laid([named("a", 1, 0), named("b", 1, 0)])


def test_a_missing_prediction_in_the_middle_names_row_and_both_ids() -> None:
    with pytest.raises(InputError, match=r"row 2, for d.jsonl row 2 \(id b\): the prediction is of id 'a', not 'b'"):
        laid([named("a", 1, 0), named("a", 1, 0)])


def test_more_predictions_than_rows_are_an_error() -> None:
    with pytest.raises(InputError, match=r"more predictions than there are rows \(1\): row 2"):
        laid([named("a", 1, 0)] * 2, ROWS[:1])


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        (named("a", float("nan"), 0), "chosen is nan; rewards must be finite"),
        (named("a", 0, float("-inf")), "rejected is -inf; rewards must be finite"),
        (named("a", 10**400, 0), "chosen is infinite"),
        (named("a", "0.5", 0), "chosen is '0.5', not a number"),
        (named("a", None, 0), "chosen is None, not a number"),
        (named("a", True, 0), "chosen is True, not a number"),
        ({"id": "a", "rewards": [1]}, "not a list of 2 numbers"),
        ({"id": "a", "rewards": [1, float("inf")]}, r"rewards\[1\] is inf"),
        ({"id": "a", "rewards": [1, 2], "chosen": 1, "rejected": 2}, "it has the fields"),
        ({"id": "a"}, "it has the fields"),
        ({"chosen": 1, "rejected": 0}, "it has no id"),
        ("not JSON", "is no prediction"),
    ],
)
def test_what_is_no_pair_of_finite_numbers_names_row_id_and_field(prediction: Any, message: str) -> None:
    with pytest.raises(InputError, match=rf"p.jsonl row 1, for d.jsonl row 1 \(id a\): .*{message}"):
        laid([prediction], ROWS[:1])


def test_a_field_without_a_value_is_as_good_as_none() -> None:
    # Files that went through a table have every column in every row.
    empty = {"chosen": None, "rejected": None, "rewards": None, "dropped": None}
    predictions = [
        {**empty, "id": "a", "rewards": [2, 1]},
        {**empty, "id": "b", "chosen": 1, "rejected": 2},
        {**empty, "id": "a", "dropped": "image_missing"},
    ]
    assert laid(predictions) == [(2.0, 1.0), (1.0, 2.0), None]
    assert align_many(ROWS[:1], [3], [("row 1", {**empty, "id": "a", "rewards": [1, 2, 3]})], "p.jsonl") == [(1, 2, 3)]
    with pytest.raises(InputError, match="it has the fields"):
        laid([{**empty, "id": "a"}], ROWS[:1])


def test_a_row_without_an_id_is_named_by_its_place_alone() -> None:
    with pytest.raises(InputError, match=r"^d.jsonl row 1 has no prediction"):
        laid([], [PlacedItem("d.jsonl row 1", None, 0)])


def test_rows_of_several_answers_have_as_many_rewards() -> None:
    rows = ROWS[:2]
    given = [("row 1", {"id": "a", "rewards": [1, 2, 3]}), ("row 2", {"id": "b", "dropped": "no image"})]
    assert align_many(rows, [3, 2], given, "p.jsonl") == [(1.0, 2.0, 3.0), None]
    with pytest.raises(InputError, match=r"for d.jsonl row 1 \(id a\): rewards is .1, 2, 3., not a list of 4 numbers"):
        align_many(rows, [4, 2], given, "p.jsonl")
