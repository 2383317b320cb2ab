"""The flat rows of the DT2IT scripts: pairs with all that is known of them, and judged lists."""

from typing import Any

import pytest

from dt2it_ray.data.formats.preference import Preference, Turn
from dt2it_ray.data.formats.preferences.flat import release
from dt2it_ray.data.formats.preferences.registry import PREFERENCE_FORMATS
from tests.data.formats.preferences.reading import named, only, refusal, texts

PAIR = {"image_path": "a.png", "question": "What is it?", "chosen": "A cat.", "rejected": "A dog."}
JUDGED = {
    "data_id": 7,
    "image_path": "a.png",
    "question": "How many?",
    "gt": "3",
    "answer": ["3", "4", "three", "5"],
    "score": [0.3, 0.1, 0.3, "0.2"],
}


def test_a_pair_may_tell_its_strength_reference_source_and_who_wrote_the_answers() -> None:
    more = {"strength": 2, "gt": 3, "source": "toy", "data_id": "x", "category": "count", "chosen_origin": "model:a"}
    found = only("flat", PAIR | more)
    assert texts(found) == ("What is it?", "A cat.", "A dog.")
    assert (found.images, found.strength, found.reference, found.source) == (named("a.png"), 2.0, "3", "toy")
    assert (found.item, found.category, found.chosen_origin, found.rejected_origin) == ("x", "count", "model:a", None)


def test_an_empty_list_of_images_does_not_hide_the_path_of_one() -> None:
    assert only("flat", PAIR | {"images": []}) == only("flat", PAIR | {"image": ""}) == only("flat", PAIR)


def test_marks_in_the_question_show_all_images_or_there_are_none() -> None:
    assert only("flat", PAIR | {"question": "<image>\nWhat is it?"}) == only("flat", PAIR)
    assert "2 <image> for 1 images" in refusal("flat", PAIR | {"question": "<image><image>What?"})


def test_a_judged_list_gives_every_pair_of_different_scores_with_gaps_as_decimals_say() -> None:
    found = PREFERENCE_FORMATS["judged_lists"].parse(JUDGED)
    assert [(each.chosen, each.rejected, each.strength) for each in found] == [
        ("3", "4", 0.2),
        ("3", "5", 0.1),
        ("three", "4", 0.2),
        ("5", "4", 0.1),
        ("three", "5", 0.1),
    ]
    assert (found[0].item, found[0].reference, found[0].images) == ("7", "3", named("a.png"))


def test_answers_of_one_text_make_no_pair_though_their_scores_differ() -> None:
    found = PREFERENCE_FORMATS["judged_lists"].parse(JUDGED | {"answer": ["3", "3", "4", "4"], "score": [1, 2, 3, 4]})
    assert {(each.chosen, each.rejected) for each in found} == {("4", "3")}
    assert PREFERENCE_FORMATS["judged_lists"].parse(JUDGED | {"score": [1, 1, 1, 1]}) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"score": [1, 2]}, "field score: 2 scores for 4 answers"),
        ({"score": [1, 2, 3, "?"]}, "field score[3]: '?' is no number"),
        ({"score": [1, 2, 3, float("nan")]}, "field score[3]: nan is no finite number"),
        ({"answer": "3"}, "field answer: '3' is no list"),
        ({"answer": ["3"], "score": [1]}, "too_few_answers"),
        ({"answer": ["3", " ", "x", "y"]}, "field answer[1]: empty"),
        ({"question": 5}, "field question: 5 is not a text"),
        ({"image_path": ""}, "image_missing: field image_path"),
    ],
)
def test_a_bad_judged_list_is_refused_with_its_field(change: dict[str, Any], told: str) -> None:
    assert told in refusal("judged_lists", JUDGED | change)


def test_a_flat_row_has_one_image_path_or_a_list_and_only_what_is_known() -> None:
    pair = Preference("Q", "a", "b")
    written = {"question": "Q", "chosen": "a", "rejected": "b", "strength": None}
    assert release(pair, []) == written
    assert release(pair, ["x.png"]) == {"image_path": "x.png", **written}
    assert release(pair, ["x.png", "y.png"]) == {"images": ["x.png", "y.png"], **written}
    assert release(Preference("see <image>", "a", "b"), []) is None
    assert release(Preference("Q", "a", "b", history=(Turn("user", "Hi"),)), []) is None
