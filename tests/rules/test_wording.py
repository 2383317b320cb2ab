"""How a text is typed does not make another text of it; what it says does."""

import pytest

from dt2it_ray.rules.wording import normalised


@pytest.mark.parametrize(
    ("one", "other"),
    [("What is it?", "what  is it"), ("ＡＢＣ　１", "abc 1"), ("这是什么？", "这是什么"), ("Straße!", "STRASSE")],
)
def test_texts_that_differ_in_typing_are_the_same(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"), [("2 + 3", "2 - 3"), ("is x < 3?", "is x > 3?"), ("C++", "C"), ("a b", "ab")]
)
def test_texts_that_say_something_else_are_not(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)
