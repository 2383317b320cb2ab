"""Of rows that say the same the first stays, whatever their order; near ones count only where they are asked to."""

import random

import pytest

from dt2it_ray.rules.alike import Nearness
from dt2it_ray.rules.duplicates import Within, find_repeats
from tests.rules.ingested_keys import LOOK, refused, row_keys, rows_of

EXACT = Nearness()
LONG = "how many red cars stand in front of the old station on the left side of the picture"


def test_a_row_that_says_the_same_is_dropped_and_names_the_first() -> None:
    rows = rows_of(row_keys("f:3"), row_keys("f:1"), row_keys("f:2", "why"))
    found = find_repeats(rows, "pair", "drop", EXACT)
    assert refused(found) == {"f:3": "row_repeated"}
    assert found["detail"].to_pylist() == ["whole row: f:1 says the same"]


@pytest.mark.parametrize(("within", "gone"), [("pair", {}), ("prompt", {"2": "row_repeated"})])
def test_other_answers_are_another_pair_of_the_same_prompt(within: Within, gone: dict[str, str]) -> None:
    rows = rows_of(row_keys("1"), row_keys("2", answers_key="b"))
    assert refused(find_repeats(rows, within, "drop", EXACT)) == gone


@pytest.mark.parametrize(
    "other",
    [{"image_keys": ["i2"]}, {"image_keys": ["i1", "i1"], "looks": [LOOK, LOOK]}, {"image_keys": [], "looks": []}],
)
def test_other_images_are_another_prompt(other: dict) -> None:
    assert refused(find_repeats(rows_of(row_keys("1"), row_keys("2", **other)), "pair", "drop", EXACT)) == {}


def test_pairs_that_prefer_opposite_answers_are_dropped_or_the_first_is_kept() -> None:
    rows = rows_of(row_keys("1"), row_keys("2", lower_first=False), row_keys("3"), row_keys("4", "why"))
    assert refused(find_repeats(rows, "pair", "drop", EXACT)) == dict.fromkeys("123", "pair_contradicted")
    kept = refused(find_repeats(rows, "pair", "keep_first", EXACT))
    assert kept == {"2": "pair_contradicted", "3": "row_repeated"}


def test_an_image_that_looks_the_same_is_the_same_only_within_the_bits() -> None:
    near, far = [LOOK ^ 0b111], [LOOK ^ 0b111111 << 20]
    rows = rows_of(
        row_keys("1"), row_keys("2", image_keys=["i2"], looks=near), row_keys("3", image_keys=["i3"], looks=far)
    )
    assert refused(find_repeats(rows, "pair", "drop", Nearness(look_bits=4))) == {"2": "row_repeated"}
    assert refused(find_repeats(rows, "pair", "drop", EXACT)) == {}


def test_blank_images_are_told_apart_by_their_content() -> None:
    rows = rows_of(*(row_keys(str(n), image_keys=[f"i{n % 2}"], looks=[None]) for n in range(3)))
    assert refused(find_repeats(rows, "pair", "drop", Nearness(look_bits=10))) == {"2": "row_repeated"}


def test_a_question_in_nearly_the_same_words_is_the_same_only_if_asked_for() -> None:
    rows = rows_of(row_keys("1", LONG), row_keys("2", f"{LONG} please"), row_keys("3", "where is the bridge"))
    assert refused(find_repeats(rows, "pair", "drop", Nearness(question_alike=0.8))) == {"2": "row_repeated"}
    assert refused(find_repeats(rows, "pair", "drop", EXACT)) == {}


@pytest.mark.parametrize("within", ["pair", "prompt"])
def test_the_order_of_rows_changes_nothing(within: Within) -> None:
    draw = random.Random(5)
    rows = [
        row_keys(
            f"f:{n:03d}",
            f"{LONG} {'abc'[n % 3]}",
            image_keys=[f"i{n % 7}"],
            looks=[LOOK ^ (1 << n % 7)],
            answers_key=str(n % 2),
            lower_first=draw.random() < 0.9,
        )
        for n in range(80)
    ]
    near = Nearness(look_bits=3, question_alike=0.7)
    once = find_repeats(rows_of(*rows), within, "drop", near).sort_by("row_id")
    again = find_repeats(rows_of(*draw.sample(rows, len(rows))), within, "drop", near).sort_by("row_id")
    assert once.equals(again)
    assert once.num_rows > 10


def test_no_rows_have_no_repeats() -> None:
    assert find_repeats(rows_of(), "pair", "drop", Nearness(4, 0.8)).num_rows == 0
