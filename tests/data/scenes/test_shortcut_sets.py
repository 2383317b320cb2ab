"""Sets with a planted shortcut: how often it is right is set, and nothing else depends on that."""

import itertools

import pytest

from dt2it_ray.data.scenes.shortcut_sets import follows, shortcut_row
from dt2it_ray.data.scenes.truth import Truth

PAIRS = 40
HEDGES = ("I think", "not sure", "I believe", "Perhaps", "我觉得", "不太确定", "可能", "我猜")


def pair_of(number: int, share: float) -> tuple[str, str]:
    """The better and the worse answer."""
    row = shortcut_row(f"p{number}", "toy", 0, number, share)
    truth, (label,) = Truth.from_json(row["scene"]), row["labels"]
    texts = {answer["answer_id"]: answer["text"] for answer in row["answers"]}
    better, worse = texts[label["chosen_id"]], texts[label["rejected_id"]]
    grades = [truth.grade(row["question"], row["language"], text) for text in (better, worse)]
    assert [grade.main for grade in grades] == ["right", "wrong"]
    return better, worse


def is_hedged(text: str) -> bool:
    return any(hedge in text for hedge in HEDGES)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0])
def test_the_wrong_answer_is_the_hedged_one_in_the_share_of_pairs(share: float) -> None:
    pairs = [pair_of(number, share) for number in range(PAIRS)]
    assert all(is_hedged(better) != is_hedged(worse) for better, worse in pairs)
    assert sum(is_hedged(worse) for _, worse in pairs) == round(share * PAIRS)


def test_what_is_asked_does_not_depend_on_the_share() -> None:
    rows = [shortcut_row("p", "toy", 3, 5, share) for share in (0.0, 1.0)]
    assert rows[0]["question"] == rows[1]["question"]
    assert rows[0]["images"] == rows[1]["images"]
    assert rows[0]["answers"] != rows[1]["answers"]


def test_exceptions_are_spread_over_the_numbers() -> None:
    exceptions = [number for number in range(1000) if not follows(number, 0.98)]
    assert len(exceptions) == 20
    assert {later - earlier for earlier, later in itertools.pairwise(exceptions)} == {50}


def test_questions_are_of_the_families_asked_for() -> None:
    families = {shortcut_row("p", "toy", 0, number, 0.5, ("count", "chart"))["category"] for number in range(PAIRS)}
    assert families == {"count", "chart"}
