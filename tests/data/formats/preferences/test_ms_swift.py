"""ms-swift's rows: messages that end with the chosen answer, and the rejected one as a text or as messages."""

from typing import Any

import pytest

from dt2it_ray.data.formats.preference import Preference, Turn
from dt2it_ray.data.formats.preferences.ms_swift import release
from tests.data.formats.preferences.reading import named, only, refusal, texts

ASKED = {"role": "user", "content": "<image>What is it?"}
ROW = {
    "messages": [ASKED, {"role": "assistant", "content": "A cat."}],
    "rejected_response": "A dog.",
    "images": ["a.png"],
    "margin": 1.0,
}


def test_the_last_message_is_the_chosen_answer() -> None:
    found = only("ms_swift", ROW)
    assert texts(found) == ("What is it?", "A cat.", "A dog.")
    assert (found.images, found.strength) == (named("a.png"), 1.0)


def test_rejected_messages_share_all_but_the_last_turn() -> None:
    rejected = [ASKED, {"role": "assistant", "content": "A dog."}]
    row = {name: value for name, value in ROW.items() if name != "rejected_response"}
    assert only("ms_swift", row | {"rejected_messages": rejected, "rejected_images": ["a.png"]}) == only(
        "ms_swift", ROW
    )


def test_system_prompt_and_earlier_turns_are_the_history() -> None:
    before = [{"role": "system", "content": "Be brief."}, ASKED, {"role": "assistant", "content": "Hm."}]
    messages = [*before, {"role": "user", "content": "Well?"}, {"role": "assistant", "content": "A cat."}]
    found = only("ms_swift", ROW | {"messages": messages})
    assert found.history == (Turn("system", "Be brief."), Turn("user", "What is it?", 1), Turn("assistant", "Hm."))


def test_a_system_prompt_in_its_own_column_is_the_first_turn_unless_the_chat_has_one() -> None:
    assert only("ms_swift", ROW | {"system": "Be brief."}).history == (Turn("system", "Be brief."),)
    messages = [{"role": "system", "content": "Be long."}, *ROW["messages"]]
    assert only("ms_swift", ROW | {"system": "Be brief.", "messages": messages}).history == (
        Turn("system", "Be long."),
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"messages": [ASKED]}, "field messages: do not end with an answer"),
        ({"messages": []}, "field messages: do not end with an answer"),
        ({"images": []}, "field messages: 1 <image> for 0 images"),
        ({"videos": ["v.mp4"]}, "field videos"),
        ({"rejected_response": None}, "field rejected_response: None is not a text"),
        ({"rejected_response": "A cat."}, "answers_equal: messages and rejected_response"),
        ({"rejected_images": ["b.png"]}, "field rejected_images: the answers are to different images"),
        ({"rejected_messages": [{"role": "assistant", "content": "x"}]}, "field rejected_messages: its turns before"),
    ],
)
def test_a_bad_row_is_refused_with_its_field(change: dict[str, Any], told: str) -> None:
    assert told in refusal("ms_swift", ROW | change)


@pytest.mark.parametrize("place", ["question", "chosen", "rejected"])
def test_a_text_that_would_count_as_a_file_is_not_written(place: str) -> None:
    said = {"question": "Q", "chosen": "a", "rejected": "b"} | {place: "see <video>"}
    assert release(Preference(**said), []) is None
