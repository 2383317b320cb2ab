"""Two responses and a signed score: negative means that the first one is better, zero is a tie."""

from typing import Any

import pytest

from dt2it_ray.data.formats.preference import Turn
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from tests.data.formats.preferences.reading import only, refusal, texts

HELPSTEER3 = {
    "domain": "code",
    "language": "python",
    "context": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Q"},
    ],
    "response1": "one",
    "response2": "two",
    "overall_preference": -2,
}
HELPSTEER2 = {"prompt": "Q", "response_1": "one", "response_2": "two", "preference_strength": 3}


@pytest.mark.parametrize(("score", "chosen", "strength"), [(-3, "one", 3.0), (-1, "one", 1.0), (2, "two", 2.0)])
def test_the_sign_tells_the_better_response_and_its_size_the_strength(score: int, chosen: str, strength: float) -> None:
    found = only("helpsteer3", HELPSTEER3 | {"overall_preference": score})
    assert (found.chosen, found.strength, found.category) == (chosen, strength, "code")
    assert found.history == (Turn("user", "Hi"), Turn("assistant", "Hello"))
    found = only("helpsteer2", HELPSTEER2 | {"preference_strength": score})
    assert (found.chosen, found.strength) == (chosen, strength)


def test_a_tie_makes_no_pair() -> None:
    assert PREFERENCE_FORMATS["helpsteer3"].parse(HELPSTEER3 | {"overall_preference": 0}) == []
    assert PREFERENCE_FORMATS["helpsteer2"].parse(HELPSTEER2 | {"preference_strength": 0}) == []


def test_a_context_may_be_a_text() -> None:
    assert texts(only("helpsteer3", HELPSTEER3 | {"context": "Q"})) == ("Q", "one", "two")


@pytest.mark.parametrize(
    ("form", "row", "told"),
    [
        ("helpsteer3", HELPSTEER3 | {"overall_preference": None}, "field overall_preference: None is no number"),
        (
            "helpsteer3",
            HELPSTEER3 | {"response2": "one", "overall_preference": -1},
            "answers_equal: response1 and response2",
        ),
        ("helpsteer3", HELPSTEER3 | {"context": []}, "field context: the turn before the answers is of nobody"),
        ("helpsteer2", {"prompt": "Q", "response": "one", "helpfulness": 4}, "field response_1: missing"),
    ],
)
def test_a_bad_row_is_refused_with_its_field(form: str, row: dict[str, Any], told: str) -> None:
    assert told in refusal(form, row)
