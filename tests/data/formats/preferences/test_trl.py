"""TRL's rows: chats and plain texts, prompts of their own and implicit ones, image parts and an image column."""

from typing import Any

import pytest
from trl.data_utils import extract_prompt

from dt2it_ray.data.formats.preference import Turn
from tests.data.formats.preferences.reading import named, only, refusal, texts


def said(role: str, text: str, images: int = 0) -> dict[str, Any]:
    parts = [{"type": "image"}] * images + [{"type": "text", "text": text}]
    return {"role": role, "content": parts}


CHAT = {
    "prompt": [said("user", "What is it?", 1)],
    "chosen": [said("assistant", "A cat.")],
    "rejected": [said("assistant", "A dog.")],
    "images": ["a.png"],
    "margin": 0.7,
}


def test_a_conversational_row_is_a_pair_about_its_image() -> None:
    found = only("trl", CHAT)
    assert texts(found) == ("What is it?", "A cat.", "A dog.")
    assert (found.images, found.strength) == (named("a.png"), 0.7)


def test_parts_as_the_datasets_library_fills_them_and_an_image_column_with_bytes_are_read() -> None:
    filled = [{"type": "image", "text": None}, {"type": "text", "text": "What is it?"}]
    row = CHAT | {
        "prompt": [{"role": "user", "content": filled}],
        "images": [{"bytes": b"PNG", "path": "a.png"}],
    }
    assert only("trl", row).images == ({"bytes": b"PNG", "path": None},)


def test_an_image_may_stand_in_its_part() -> None:
    parts = [{"type": "image", "image": "a.png"}, {"type": "text", "text": "What is it?"}]
    row = {name: value for name, value in CHAT.items() if name != "images"}
    assert only("trl", row | {"prompt": [{"role": "user", "content": parts}]}) == only("trl", CHAT)
    url = [{"type": "image_url", "image_url": {"url": "a.png"}}, {"type": "text", "text": "What is it?"}]
    assert only("trl", row | {"prompt": [{"role": "user", "content": url}]}) == only("trl", CHAT)


def test_texts_without_places_for_images_show_them_in_the_first_user_turn() -> None:
    prompt = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is it?"},
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "Sure?"},
    ]
    found = only("trl", CHAT | {"prompt": prompt})
    assert found.history == (Turn("system", "Be brief."), Turn("user", "What is it?", 1), Turn("assistant", "A cat."))


def test_a_text_that_speaks_of_marks_is_left_as_it_is() -> None:
    row = CHAT | {"prompt": [said("user", "What does <image> mean?")], "images": []}
    assert only("trl", row).question == "What does <image> mean?"


def test_plain_texts_are_read() -> None:
    found = only("trl", {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."})
    assert texts(found) == ("The sky is", " blue.", " green.")


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ("The sky is blue.", "The sky is green."),
        ("The sky is so blue.", "The sky is so so green."),
        ("One two", "One three"),
    ],
)
def test_an_implicit_prompt_of_texts_is_what_trl_takes_for_it(chosen: str, rejected: str) -> None:
    row = {"chosen": chosen, "rejected": rejected}
    by_trl = extract_prompt(row)
    assert texts(only("trl", row)) == (by_trl["prompt"], by_trl["chosen"], by_trl["rejected"])


def test_an_implicit_prompt_of_chats_is_what_they_share() -> None:
    prompt = [said("user", "Hi"), said("assistant", "Hello"), said("user", "What is it?", 1)]
    row = {"chosen": [*prompt, *CHAT["chosen"]], "rejected": [*prompt, *CHAT["rejected"]], "images": ["a.png"]}
    found = only("trl", row)
    assert texts(found) == ("What is it?", "A cat.", "A dog.")
    assert found.history == (Turn("user", "Hi"), Turn("assistant", "Hello"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"images": []}, "field prompt: 1 <image> for 0 images"),
        ({"prompt": None, "chosen": "a", "rejected": "b"}, "field prompt: missing, and chosen and rejected do not"),
        ({"prompt": "<image><image>Q"}, "field prompt: 2 <image> for 1 images"),
        ({"prompt": 7}, "field prompt: 7 is no list"),
        ({"prompt": [said("assistant", "Hi")], "images": []}, "of assistant, not of the user"),
        ({"chosen": [said("assistant", "a"), said("assistant", "b")]}, "field chosen: 2 turns"),
        ({"chosen": [said("user", "a")]}, "field chosen: 1 turns, not one of the assistant"),
        ({"chosen": CHAT["rejected"]}, "answers_equal"),
        ({"prompt": [{"role": "user", "content": [{"type": "video"}]}]}, "content[0].type: 'video' is neither"),
        ({"prompt": [{"role": "user", "content": [{"type": "text"}]}]}, "content[0]: None is not a text"),
        ({"prompt": [{"role": "tool", "content": "x"}]}, "prompt[0].role: 'tool' is none of"),
        ({"margin": True}, "field margin: True is no finite number"),
    ],
)
def test_a_bad_row_is_refused_with_its_field(change: dict[str, Any], told: str) -> None:
    assert told in refusal("trl", CHAT | change)
