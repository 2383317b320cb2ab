"""Names made from content: stable over time, and different wherever content differs."""

from itertools import combinations

import pytest

from dt2it_ray.data.ids import ID_LENGTH, answer_id, content_id, pair_id, prompt_id, unit_interval


def test_a_name_never_changes() -> None:
    # Stored runs hold these names: another hash would orphan every row of them.
    assert content_id("a", b"b", 3) == "e27fcafecf6c47c9705e"
    assert len(content_id()) == ID_LENGTH


def test_boundaries_between_parts_count() -> None:
    names = [content_id(*parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ())]
    assert len(set(names)) == len(names)


def test_text_bytes_and_numbers_of_one_spelling_are_one_part() -> None:
    assert content_id("7") == content_id(b"7") == content_id(7)


def test_a_prompt_is_its_images_in_order_and_its_question() -> None:
    prompts = [([], "Q"), ([b"x"], "Q"), ([b"y"], "Q"), ([b"x", b"y"], "Q"), ([b"y", b"x"], "Q"), ([b"x"], "R")]
    for one, other in combinations(prompts, 2):
        assert prompt_id(*one) != prompt_id(*other)
    assert prompt_id([b"x"], "Q") == prompt_id([b"x"], "Q")
    # An image whose bytes spell the question is not the question.
    assert prompt_id([b"Q"], "") != prompt_id([], "Q")


def test_one_text_has_another_name_under_another_prompt() -> None:
    assert answer_id("p", "A") != answer_id("q", "A")
    assert answer_id("p", "A") != answer_id("p", "B")


def test_swapping_the_answers_keeps_the_name_of_a_pair() -> None:
    assert pair_id("s", "a", "b") == pair_id("s", "b", "a")
    assert len({pair_id("s", "a", "b"), pair_id("t", "a", "b"), pair_id("s", "a", "c")}) == 3


def test_kinds_of_names_do_not_meet() -> None:
    assert len({prompt_id([], "x"), answer_id("", "x"), pair_id("", "", "x"), content_id("x")}) == 4


def test_draws_are_uniform_and_repeat() -> None:
    draws = [unit_interval("seed", number) for number in range(4000)]
    assert draws == [unit_interval("seed", number) for number in range(4000)]
    assert all(0 <= draw < 1 for draw in draws)
    # Each tenth of the interval gets 400 of 4,000 draws; five standard deviations are 95.
    tenths = [sum(int(draw * 10) == tenth for draw in draws) for tenth in range(10)]
    assert tenths == pytest.approx([400] * 10, abs=95)
    assert unit_interval("seed", 1) != unit_interval("other", 1)


def test_the_turns_before_a_question_make_another_prompt() -> None:
    turn = {"role": "user", "text": "Hello.", "images": 0}
    prompts = [prompt_id([], "Q", history) for history in (None, [turn], [turn | {"role": "assistant"}], [turn, turn])]
    assert len(set(prompts)) == 4
    assert prompt_id([], "Q", []) == prompt_id([], "Q")
