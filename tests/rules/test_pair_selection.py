"""Each rule takes out the pairs that it says, counts them, and leaves the same ones whatever the order of rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dt2it_ray.data.answer_tables import ANSWER_FACTS
from dt2it_ray.data.schema import PAIRS
from dt2it_ray.rules.pair_sampling import at_most
from dt2it_ray.rules.pair_selection import PairChoice, Selection, select_pairs
from tests.rules.tables import shuffled

PairOf = tuple[int, int, float]
"""Characters of the chosen and of the rejected answer, and the strength."""


def pairs_of(lengths: list[PairOf], prompts: int = 1000, sources: int = 1) -> tuple[pa.Table, pa.Table]:
    """Pairs p0000, p0001, ... of answers of these lengths, and the facts of the answers."""
    pairs, facts = [], []
    for place, (chosen, rejected, strength) in enumerate(lengths):
        name, prompt = f"p{place:04d}", f"q{place % prompts}"
        row = {"pair_id": name, "prompt_id": prompt, "chosen_id": f"{name}+", "rejected_id": f"{name}-"}
        pairs.append({**row, "source": f"s{place % sources}", "strength": strength})
        facts += [_fact(f"{name}+", prompt, chosen), _fact(f"{name}-", prompt, rejected)]
    return pa.Table.from_pylist(pairs, schema=PAIRS), pa.Table.from_pylist(facts, schema=ANSWER_FACTS)


def _fact(answer: str, prompt: str, characters: int) -> dict[str, Any]:
    return {"answer_id": answer, "prompt_id": prompt, "characters": characters, "origin": "model:m"}


def left(selection: Selection) -> list[str]:
    return selection.pairs["pair_id"].to_pylist()


@pytest.mark.parametrize(
    ("choice", "kept", "dropped"),
    [
        ({}, "0123", {}),
        ({"min_strength": 2}, "123", {"too_weak": 1}),
        ({"longest_ratio": 1.5}, "0123", {"chosen_too_long": 0}),
        ({"longest_ratio": 1.4}, "123", {"chosen_too_long": 1}),
        ({"longest_excess": 4}, "123", {"chosen_too_long": 1}),
        ({"min_strength": 4, "longest_excess": 0}, "3", {"too_weak": 3, "chosen_too_long": 0}),
    ],
)
def test_rules_on_single_pairs(choice: Mapping[str, Any], kept: str, dropped: Mapping[str, int]) -> None:
    selection = select_pairs(*pairs_of([(15, 10, 1), (10, 10, 2), (10, 15, 3), (10, 40, 4)]), PairChoice(**choice))
    assert left(selection) == [f"p000{place}" for place in kept]
    assert selection.dropped == dropped


def test_near_duplicates_form_no_pairs() -> None:
    pairs, facts = pairs_of([(9, 9, 1), (9, 9, 1)])
    duplicate_of = [None, None, None, "p0001+"]
    facts = facts.set_column(4, "duplicate_of", pa.array(duplicate_of, pa.string()))
    selection = select_pairs(pairs, facts, PairChoice(without_duplicates=True))
    assert (left(selection), selection.dropped) == (["p0000"], {"near_duplicate": 1})


@pytest.mark.parametrize(("limit", "expected"), [(1, 3), (2, 6), (5, 12), (100, 12)])
def test_a_prompt_gives_at_most_max_pairs_drawn_by_id(limit: int, expected: int) -> None:
    pairs, _ = pairs_of([(1, 1, strength) for strength in range(12)], prompts=3)
    some = at_most(shuffled(pairs), limit)
    assert some["pair_id"].to_pylist() == [f"p{place:04d}" for place in range(expected)]


def test_every_bin_of_strengths_gives_as_many_as_the_smallest() -> None:
    pairs, facts = pairs_of([(1, 1, 0.5)] * 9 + [(1, 1, 1.0)] * 5 + [(1, 1, 7.0)] * 3)
    selection = select_pairs(pairs, facts, PairChoice(edges=(1, 2, 6)))
    assert [(each["pairs"], each["kept"]) for each in selection.bins] == [(9, 3), (5, 3), (0, 0), (3, 3)]
    assert [(each["low"], each["high"]) for each in selection.bins] == [(0, 1), (1, 2), (2, 6), (6, 7)]
    assert (selection.pairs.num_rows, selection.dropped) == (9, {"strength_surplus": 8})
    fixed = select_pairs(pairs, facts, PairChoice(edges=(1, 2, 6), per_bin=4))
    assert [each["kept"] for each in fixed.bins] == [4, 4, 0, 3]


def test_quantiles_part_strengths_and_equal_ones_stay_together() -> None:
    pairs, facts = pairs_of([(1, 1, strength) for strength in (1, 1, 1, 1, 2, 3)])
    selection = select_pairs(pairs, facts, PairChoice(bins=3))
    assert [(each["pairs"], each["kept"]) for each in selection.bins] == [(4, 2), (2, 2)]


MEASURED = st.lists(
    st.tuples(st.integers(1, 60), st.integers(1, 60), st.floats(0.5, 5, allow_nan=False)), min_size=1, max_size=60
)


@given(MEASURED, st.integers(1, 4), st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_the_chosen_answer_is_longer_as_often_as_shorter(lengths: list[PairOf], strata: int, sources: int) -> None:
    pairs, facts = pairs_of(lengths, sources=sources)
    selection = select_pairs(pairs, facts, PairChoice(length_strata=strata))
    excess = {f"p{place:04d}": chosen - rejected for place, (chosen, rejected, _) in enumerate(lengths)}
    source = dict(zip(pairs["pair_id"].to_pylist(), pairs["source"].to_pylist(), strict=True))
    for name in set(source.values()):
        sides = [int(np.sign(excess[pair])) for pair in left(selection) if source[pair] == name]
        assert sum(sides) == 0
    assert {pair for pair in excess if excess[pair] == 0} <= set(left(selection))
    assert selection.dropped == {"length_surplus": pairs.num_rows - selection.pairs.num_rows}


@given(MEASURED)
@settings(max_examples=30, deadline=None)
def test_neither_the_order_of_rows_nor_the_sides_of_the_pairs_change_which_are_left(lengths: list[PairOf]) -> None:
    choice = PairChoice(max_pairs=2, bins=2, length_strata=3, without_duplicates=True, min_strength=1)
    pairs, facts = pairs_of(lengths, prompts=7, sources=2)
    selection = select_pairs(pairs, facts, choice)
    assert select_pairs(shuffled(pairs), shuffled(facts), choice).pairs.equals(selection.pairs)
    swapped = [(rejected, chosen, strength) for chosen, rejected, strength in lengths]
    assert left(select_pairs(*pairs_of(swapped, prompts=7, sources=2), choice)) == left(selection)
    assert sum(selection.dropped.values()) + selection.pairs.num_rows == pairs.num_rows


def test_no_pairs_stay_no_pairs() -> None:
    pairs, facts = pairs_of([])
    choice = PairChoice(True, 1, 1.5, 3, 2, 3, (), 0, 4)
    selection = select_pairs(pairs, facts, choice)
    assert selection.pairs.schema.equals(PAIRS)
    assert set(selection.dropped.values()) == {0}
