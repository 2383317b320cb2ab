"""Answers are made worse in what they claim and in nothing else."""

import pytest

from dt2it_ray.data.scenes.answers import pick_extras, write_answer
from dt2it_ray.data.scenes.prompts import draw_prompt
from dt2it_ray.data.scenes.truth import Truth
from dt2it_ray.rules.degrade import Degradation, degrade
from dt2it_ray.rules.polarity import flip_polarity
from dt2it_ray.rules.truth_words import truth_words

KINDS: tuple[Degradation, ...] = ("colour", "number", "place", "yes_no", "entity", "truncation")


@pytest.mark.parametrize(
    ("kind", "question", "answer", "others", "worse"),
    [
        ("colour", "Is the ball red or blue?", "The ball is red.", [], "The ball is blue."),
        ("colour", "What is it?", "A red car.", [], {"A green car.", "An orange car.", "A black car.", "A blue car."}),
        ("colour", "它是什么？", "红色的车，红色的门。", [], None),
        ("number", "How many?", "There are three cats.", [], {f"There are {n} cats." for n in ("two", "four", "five")}),
        (
            "number",
            "When?",
            "In 1998, 3.5 km away.",
            [],
            {f"In {year}, 3.5 km away." for year in (1996, 1997, 1999, 2000)},
        ),
        ("number", "几个？", "图中有两个三角形。", [], {f"图中有{n}个三角形。" for n in "一三四"}),
        ("place", "Where is it?", "At the top left.", [], {"At the bottom left.", "At the top right."}),
        (
            "place",
            "在哪里？",
            "它在左上角，左右有两棵树。",
            [],
            {"它在右上角，左右有两棵树。", "它在左下角，左右有两棵树。"},
        ),
        ("yes_no", "Is there an owl?", "No, there is no owl.", [], "Yes, there is an owl."),
        ("yes_no", "有猫吗？", "图中没有猫。", [], "图中有猫。"),
        ("entity", "What is it?", "It is a dog.", ["It is an owl.", "Two cats."], "It is an owl."),
        ("entity", "图中有什么？", "图中有一只小狗。", ["图中有一只老虎。"], "图中有一只老虎。"),
        ("entity", "Which word?", "The word is SUN.", ["It says CAT."], "The word is CAT."),
        ("truncation", "What is it?", "A dog. It runs. It is brown.", [], "A dog."),
        ("truncation", "是什么？", "仔细看，是一只狗。它在跑。", [], "仔细看，是一只狗。"),
        ("truncation", "What is it?", "It is a dog, I believe.", [], "It is a dog"),
    ],
)
def test_one_word_is_swapped_or_the_end_is_cut(
    kind: Degradation, question: str, answer: str, others: list[str], worse: str | set[str] | None
) -> None:
    made = {degrade(kind, question, answer, others, key) for key in "abcdefgh"}
    if isinstance(worse, set):
        assert len(made) > 1
        made -= worse
        assert not made or kind == "colour"
    elif worse is not None:
        assert made == {worse}
    else:
        assert None not in made
        assert all(text is not None and text[:2] == text[5:7] for text in made)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        # Another absence is often true too.
        ("colour", "There is no red car."),
        ("colour", "没有红色的车。"),
        # Neither number nor place.
        ("number", "This is one of them."),
        ("number", "这是一个三角形。"),
        ("place", "He left, and that is the right answer."),
        ("yes_no", "The car is fast."),
        ("entity", "It is a dog."),
        ("truncation", "A dog."),
    ],
)
def test_an_answer_with_nothing_of_the_kind_stays(kind: Degradation, answer: str) -> None:
    assert degrade(kind, "What is it?", answer, [], "key") is None


def test_turning_a_claim_twice_gives_it_back() -> None:
    for answer in ("Yes, there is an owl.", "No.", "图里确实有红色的圆形。", "Looking at it, there is no red star."):
        turned = flip_polarity(answer)
        assert turned is not None
        assert turned != answer
        assert flip_polarity(turned) == answer


def written(number: int) -> tuple[Truth, str, str, str, list[str]]:
    """A true answer about a scene with two false ones in the same style."""
    asked = draw_prompt(f"degrade {number}")
    question, style = asked.question, ("terse", "verbose", "markdown", "hedged")[number % 4]
    extras = pick_extras(asked.scene, question, (True,), number)
    right, *wrong = (
        write_answer(asked.scene, question, value, style, question.language, extras, number)
        for value in (question.value, *question.false_values[:2])
    )
    return Truth.from_json(asked.truth_json()), question.text, question.language, right, wrong


@pytest.mark.parametrize("kind", KINDS)
def test_planted_truth_says_that_degraded_answers_are_worse(kind: Degradation) -> None:
    worse, made = {"en": 0, "zh": 0}, {"en": 0, "zh": 0}
    for number in range(400):
        truth, question, language, right, wrong = written(number)
        degraded = degrade(kind, question, right, wrong, "key")
        if degraded is not None:
            before, after = (truth.grade(question, language, text).quality for text in (right, degraded))
            assert after <= before
            made[language] += 1
            worse[language] += after < before
    for language in made:
        assert made[language] >= 5
        assert worse[language] / made[language] >= 0.9, language


@pytest.mark.parametrize("kind", ["colour", "number", "place"])
def test_a_swap_changes_one_kind_of_word_and_neither_length_nor_style(kind: Degradation) -> None:
    for number in range(150):
        _, question, _, right, wrong = written(number)
        degraded = degrade(kind, question, right, wrong, "key")
        if degraded is not None:
            assert len(truth_words(degraded)) == len(truth_words(right))
            changed = {old for old, new in zip(truth_words(right), truth_words(degraded), strict=True) if old != new}
            assert len(changed) == 1
            assert abs(len(degraded) - len(right)) <= 6
            assert degraded == degrade(kind, question, right, wrong, "key")
