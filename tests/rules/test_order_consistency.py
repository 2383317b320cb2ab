"""Comparisons that a judge makes alike in both orders, and no others."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from dt2it_ray.data.schema import JUDGEMENTS
from dt2it_ray.rules.order_consistency import agree_in_both_orders
from dt2it_ray.rules.pairing import form_pairs
from tests.rules.tables import judgement_table, shuffled

SOURCES = pa.table({"prompt_id": ["x", "y"], "source": ["made", "made"]})
ANSWERS = pa.table({"prompt_id": ["x"] * 3, "answer_id": ["a", "b", "c"]})
FIRST, SECOND = np.array([0, 0, 1]), np.array([1, 2, 2])


def judgements(*rows: tuple[str, int, Mapping[str, float]], prompt: str = "x") -> pa.Table:
    """JUDGEMENTS of (judge, shown, overall by answer)."""
    told = [
        {
            "prompt_id": prompt,
            "judge": judge,
            "shown": shown,
            "assessments": [{"answer_id": name, "overall": value} for name, value in overalls.items()],
        }
        for judge, shown, overalls in rows
    ]
    return pa.Table.from_pylist(told, schema=JUDGEMENTS)


def steady(table: pa.Table) -> list[bool]:
    """Of a and b, a and c, b and c."""
    return agree_in_both_orders(table, ANSWERS, FIRST, SECOND).tolist()


def test_a_comparison_that_turns_or_ties_in_one_order_is_not_steady() -> None:
    table = judgements(("j", 0, {"a": 9, "b": 5, "c": 1}), ("j", 1, {"c": 4, "b": 4, "a": 8}))
    assert steady(table) == [True, True, False]
    assert steady(judgements(("j", 0, {"a": 9, "b": 5, "c": 7}), ("j", 1, {"a": 9, "b": 6, "c": 5}))) == [
        True,
        True,
        False,
    ]


def test_every_judge_with_two_orders_must_be_steady_and_judges_may_differ() -> None:
    sure = (("j", 0, {"a": 9, "b": 5, "c": 1}), ("j", 1, {"a": 9, "b": 5, "c": 1}))
    other = (("k", 0, {"a": 1, "b": 5, "c": 5}), ("k", 1, {"a": 2, "b": 9, "c": 2}))
    assert steady(judgements(*sure, *other)) == [True, False, False]


def test_of_a_judge_with_one_order_nothing_is_asked() -> None:
    assert steady(judgements(("j", 0, {"a": 5, "b": 5}))) == [True, True, True]


def test_an_answer_that_one_order_lost_is_not_steady() -> None:
    table = judgements(("j", 0, {"a": 9, "b": 5, "c": 1}), ("j", 1, {"a": 9, "b": 5}))
    assert steady(table) == [True, False, False]


def test_order_of_rows_and_of_the_two_sides_does_not_matter() -> None:
    table = judgements(("j", 0, {"a": 9, "b": 5, "c": 1}), ("j", 1, {"c": 4, "b": 4, "a": 8}), ("k", 0, {"a": 1}))
    assert steady(shuffled(table)) == steady(table)
    assert agree_in_both_orders(table, ANSWERS, SECOND, FIRST).tolist() == steady(table)


@pytest.mark.parametrize(("both_orders", "made", "turned"), [(False, {("a", "b")}, None), (True, set(), 1)])
def test_pairs_may_demand_that_both_orders_agree(both_orders: bool, made: set, turned: int | None) -> None:
    listwise = judgements(("j", 0, {"a": 9, "b": 2}), ("j", 1, {"a": 4, "b": 5}))
    pointwise = judgement_table([("x", {"a": 8, "b": 3})])
    pairing = form_pairs(listwise, pointwise, SOURCES, both_orders=both_orders)
    pairs = set(zip(pairing.pairs["chosen_id"].to_pylist(), pairing.pairs["rejected_id"].to_pylist(), strict=True))
    assert (pairs, pairing.counts.get("order_turned")) == (made, turned)
    assert pairing.counts["agreed"] == len(made)
