import functools
from typing import Any

import pytest

from dt2it_ray.data.scenes.grading import Grade
from dt2it_ray.data.scenes.open_sets import CLEAN, LABEL_FLIPS, OPEN_SETS, STYLE_BIAS, TEXT_SHORTCUT, open_row
from dt2it_ray.data.scenes.pair_plans import Dress, plan_marred, plan_true, write_plans
from dt2it_ray.data.scenes.prompts import CHINESE_SHARE, draw_prompt
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.data.scenes.world_index import index_labels
from dt2it_ray.data.schema import PROMPTS

PAIRS = 450
WITHIN = 0.06

Pair = tuple[str, str, bool, float, str, str]
"""Chosen and rejected text, the planted flip, the true quality gap, and what the two main claims are."""


@functools.cache
def rows_of(source: str) -> list[dict[str, Any]]:
    numbered = index_labels(0, {source: PAIRS}, {source: 0.0 if source == CLEAN else 0.3}).to_pylist()
    return [open_row(row["prompt_id"], source, 0, row["number"], row["flips"]) for row in numbered]


@functools.cache
def pairs_of(source: str) -> list[Pair]:
    return [pair for row in rows_of(source) for pair in graded_pairs(row)]


def graded_pairs(row: dict[str, Any]) -> list[Pair]:
    truth = Truth.from_json(row["scene"])
    texts = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
    pairs = []
    for label in row["labels"]:
        chosen, rejected = texts[label["chosen_id"]], texts[label["rejected_id"]]
        first, second = (truth.grade(row["question"], row["language"], text) for text in (chosen, rejected))
        gap = first.quality - second.quality
        pairs.append((chosen, rejected, label["planted_flip"], gap, first.main, second.main))
    return pairs


def share(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


def longer(first: str, second: str) -> float:
    """1 if the first text is longer, 0.5 for equal lengths, else 0."""
    return (len(first) > len(second)) + (len(first) == len(second)) / 2


@pytest.mark.parametrize("source", OPEN_SETS)
def test_a_label_is_wrong_exactly_where_a_flip_is_planted(source: str) -> None:
    assert len(pairs_of(source)) == PAIRS
    for pair in pairs_of(source):
        assert pair[3] != 0
        assert (pair[3] < 0) == pair[2], pair


@pytest.mark.parametrize("source", OPEN_SETS)
def test_most_pairs_differ_in_the_main_claim(source: str) -> None:
    assert share([pair[4] != pair[5] for pair in pairs_of(source)]) == pytest.approx(0.8, abs=WITHIN)


@pytest.mark.parametrize("source", OPEN_SETS)
def test_in_some_pairs_the_better_answer_makes_a_false_claim_and_is_still_better(source: str) -> None:
    marred = [grades for row in rows_of(source) for grades in grades_of(row) if grades[0].extra_wrong]
    assert len(marred) / PAIRS == pytest.approx(0.1, abs=0.05)
    for better, worse in marred:
        assert (better.main, better.extra_wrong) == ("right", 1)
        assert (worse.main, worse.extra_wrong) == ("wrong", 0)


def grades_of(row: dict[str, Any]) -> list[tuple[Grade, Grade]]:
    """Of the truly better and the worse answer of every pair."""
    truth = Truth.from_json(row["scene"])
    texts = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
    pairs = []
    for label in row["labels"]:
        names = (label["chosen_id"], label["rejected_id"])
        better, worse = names[::-1] if label["planted_flip"] else names
        grade = functools.partial(truth.grade, row["question"], row["language"])
        pairs.append((grade(texts[better]), grade(texts[worse])))
    return pairs


def test_style_bias_labels_the_long_answer_as_better_whether_it_is_or_not() -> None:
    pairs = pairs_of(STYLE_BIAS)
    assert share([len(pair[0]) > len(pair[1]) for pair in pairs]) == pytest.approx(0.8, abs=0.04)
    long_and_wrong = [pair for pair in pairs if (len(pair[0]) > len(pair[1])) == pair[2]]
    short_and_wrong = [pair for pair in pairs if (len(pair[0]) > len(pair[1])) != pair[2]]
    assert share([pair[2] for pair in long_and_wrong]) > 3 * share([pair[2] for pair in short_and_wrong])


@pytest.mark.parametrize("source", [LABEL_FLIPS, TEXT_SHORTCUT, CLEAN])
def test_length_tells_nothing_in_the_other_sets(source: str) -> None:
    assert sum(longer(pair[0], pair[1]) for pair in pairs_of(source)) / PAIRS == pytest.approx(0.5, abs=WITHIN)


def test_text_shortcut_hedges_the_wrong_answer() -> None:
    right = []
    for chosen, rejected, flipped, *_ in pairs_of(TEXT_SHORTCUT):
        better, worse = (rejected, chosen) if flipped else (chosen, rejected)
        assert hedged(better) != hedged(worse)
        right.append(hedged(worse))
    assert share(right) == pytest.approx(0.85, abs=0.05)


def hedged(text: str) -> bool:
    marks = ("I think", "It seems", "I believe", "Perhaps", "我觉得", "看起来", "可能", "我猜")
    return any(mark in text for mark in marks)


def test_answers_of_a_prompt_differ_and_stand_in_the_order_of_their_ids() -> None:
    sizes = set()
    for source in OPEN_SETS:
        for row in rows_of(source):
            names = [answer["answer_id"] for answer in row["answers"]]
            assert names == sorted(set(names))
            assert len({answer["text"] for answer in row["answers"]}) == len(names) == len(row["labels"]) + 1
            sizes.add(len(names))
    assert sizes == {2, 3}


def test_rows_have_the_columns_of_prompts_and_all_families_and_both_languages() -> None:
    rows = [row for source in OPEN_SETS for row in rows_of(source)]
    assert all(list(row) == PROMPTS.names for row in rows)
    assert {row["category"] for row in rows} == {"colour", "shape", "count", "position", "existence", "word", "chart"}
    assert share([row["language"] == "zh" for row in rows]) == pytest.approx(CHINESE_SHARE, abs=WITHIN)


def test_a_row_is_a_function_of_set_seed_and_number() -> None:
    row = open_row("p", STYLE_BIAS, 0, 5, [True])
    assert open_row("p", STYLE_BIAS, 0, 5, [True]) == row
    others = [("p", LABEL_FLIPS, 0, 5), ("p", STYLE_BIAS, 1, 5), ("p", STYLE_BIAS, 0, 6)]
    assert all(open_row(*other, [True])["images"] != row["images"] for other in others)


def test_equal_texts_are_written_in_another_style() -> None:
    asked = draw_prompt("open test")
    plan = plan_true(asked, Dress("terse", 0))
    assert len(set(write_plans(asked, [plan, plan, plan]))) == 3


def test_a_marred_answer_is_worse_than_a_true_one_by_its_extra_claim_only() -> None:
    for seed in range(30):
        asked = draw_prompt(f"open test {seed}")
        truth = Truth.from_json(asked.truth_json())
        dress = Dress("verbose", 2)
        texts = write_plans(asked, [plan_true(asked, dress), plan_marred(asked, dress)])
        better, worse = (truth.grade(asked.question.text, asked.question.language, text) for text in texts)
        assert (better.main, worse.main) == ("right", "right")
        assert (better.extra_wrong, worse.extra_wrong) == (0, 1)
