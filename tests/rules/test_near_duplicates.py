"""Answers that say the same in the same words are one answer; one changed number or colour makes them two."""

import itertools

import pytest

from dt2it_ray.rules.near_duplicates import Written, find_duplicates, plain_text, shared_grams


def duplicates(*texts: str, origins: tuple[str, ...] = (), least_alike: float = 0.8) -> dict[str, str]:
    answers = [
        Written(f"{place}", text, origin)
        for place, (text, origin) in enumerate(itertools.zip_longest(texts, origins, fillvalue="model:m"))
    ]
    assert find_duplicates(answers[::-1], least_alike) == find_duplicates(answers, least_alike)
    return find_duplicates(answers, least_alike)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The car is red.", "**the car is RED**"),
        ("The circle is red，", "The circle  is\nred."),
        ("图中有一辆红色的车。", "图中有一辆红色的车"),
        ("It seems that the car in the picture is red.", "It seems that the car in this picture is red."),
        ("从图片来看，这辆停在路边的车是红色的。", "从图片来看，这辆停在路边的车应是红色的。"),
    ],
)
def test_nearly_equal_answers_are_one_and_the_lowest_id_stays(one: str, other: str) -> None:
    assert duplicates(one, other) == {"1": "0"}
    assert duplicates(one, other, one) == {"1": "0", "2": "0"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It seems that the car in the picture is red.", "It seems that the car in the picture is blue."),
        ("There are three cars in the picture that you see.", "There are four cars in the picture that you see."),
        ("从图片来看，这辆停在路边的车是红色的。", "从图片来看，这辆停在路边的车是蓝色的。"),
        ("Red.", "A bicycle."),
        ("", "Red."),
    ],
)
def test_answers_that_differ_in_truth_are_two(one: str, other: str) -> None:
    assert duplicates(one, other) == {}


def test_a_degraded_answer_goes_only_if_it_is_equal_and_never_in_place_of_a_sampled_one() -> None:
    near = ("It seems that the car in the picture is a truck.", "It seems that the cat in the picture is a truck.")
    assert duplicates(*near, least_alike=0.7) == {"1": "0"}
    assert duplicates(*near, origins=("model:m", "degraded:entity"), least_alike=0.7) == {}
    assert duplicates("Red.", "red", origins=("degraded:colour", "model:m")) == {"0": "1"}


def test_shared_grams() -> None:
    assert shared_grams("abcd", "abcd") == 1
    assert shared_grams("abcd", "bcde") == pytest.approx(1 / 3)
    assert shared_grams("红色圆", "红色方") == pytest.approx(1 / 3)
    assert plain_text("Ａ_b, C!") == "a b c"
