"""Chats about an image with two ends: POVID, IXC-2.5-Reward, vision-feedback-mix and MMSafe-PO."""

import json
from typing import Any

import pytest

from dt2it_ray.data.formats.preference import Turn
from tests.data.formats.preferences.reading import named, only, refusal, texts

HUMAN = {"from": "human", "value": "<image>\nWhat is it?"}
SAID = ("What is it?", "A cat.", "A dog.")
GOOD, BAD = ({"from": "gpt", "value": text} for text in SAID[1:])
POVID = {"id": "p1", "image": "coco/1.jpg", "conversations": [HUMAN, GOOD], "rejected_conversations": [HUMAN, BAD]}
IXC = {
    "conversations_a": [{"from": "human", "value": "What is it?"}, {"from": "bot", "value": "A cat."}],
    "conversations_b": [{"from": "human", "value": "What is it?"}, {"from": "bot", "value": "A dog."}],
    "image": "1.jpg",
    "turn": 1,
    "language": "en",
    "model_a": "good-model",
    "model_b": "bad-model",
}
MIX = {
    "id": 4,
    "origin_pre_dataset": "rlaif-v",
    "image": {"bytes": b"PNG", "path": None},
    "image_path": "1.jpg",
    "conversations": json.dumps([HUMAN, {"from": "gpt", "preference_values": ["A cat.", "A dog."]}]),
}
MMSAFE = {
    "prompt": "USER: <image>\nWhat is it? ASSISTANT:",
    "image": "1.jpg",
    "type": "privacy",
    "chosen": "ASSISTANT: A cat.",
    "rejected": "A dog.",
}


@pytest.mark.parametrize(("form", "row"), [("povid", POVID), ("ixc_reward", IXC), ("mmsafe_po", MMSAFE)])
def test_the_ends_of_the_chats_are_the_answers(form: str, row: dict[str, Any]) -> None:
    found = only(form, row)
    assert texts(found) == SAID
    assert len(found.images) == 1
    assert found.images[0]["path"].endswith("1.jpg")


def test_povid_chats_may_have_several_turns() -> None:
    more = [HUMAN, GOOD, {"from": "human", "value": "Sure?"}]
    row = POVID | {"conversations": [*more, GOOD], "rejected_conversations": [*more, BAD]}
    assert only("povid", row).history == (Turn("user", "What is it?", 1), Turn("assistant", "A cat."))
    assert only("povid", row).item == "p1"


def test_ixc_names_the_models_and_its_first_turn_shows_an_image_without_a_mark() -> None:
    found = only("ixc_reward", IXC)
    assert (found.chosen_origin, found.rejected_origin) == ("good-model", "bad-model")
    more = [{"from": "human", "value": "Hi"}, {"from": "bot", "value": "Hello"}]
    row = {name: [*more, *IXC[name]] for name in ("conversations_a", "conversations_b")}
    assert only("ixc_reward", IXC | row).history == (Turn("user", "Hi", 1), Turn("assistant", "Hello"))


def test_the_mix_prints_its_chat_as_a_text_with_both_answers_in_its_last_turn() -> None:
    found = only("vision_feedback_mix", MIX)
    assert texts(found) == SAID
    assert (found.images, found.item, found.source) == (({"bytes": b"PNG", "path": None},), "4", "rlaif-v")
    printed = str(json.loads(MIX["conversations"]))
    assert only("vision_feedback_mix", MIX | {"conversations": printed}) == found
    assert only("vision_feedback_mix", MIX | {"image": None}).images == named("1.jpg")


def test_mmsafe_po_marks_its_turns_with_names() -> None:
    assert only("mmsafe_po", MMSAFE).category == "privacy"
    turns = "USER: <image>\nHi there. ASSISTANT: Hello. USER: What is it? ASSISTANT:"
    found = only("mmsafe_po", MMSAFE | {"prompt": turns})
    assert texts(found) == SAID
    assert found.history == (Turn("user", "Hi there.", 1), Turn("assistant", "Hello."))


@pytest.mark.parametrize(
    ("form", "row", "told"),
    [
        ("povid", POVID | {"rejected_conversations": [BAD]}, "field rejected_conversations: its turns before"),
        ("povid", {name: POVID[name] for name in ("id", "image", "conversations")}, "rejected_conversations: missing"),
        ("povid", POVID | {"image": None}, "field conversations: 1 <image> for 0 images"),
        ("ixc_reward", IXC | {"conversations_a": IXC["conversations_b"]}, "answers_equal"),
        ("vision_feedback_mix", MIX | {"conversations": "What?"}, "field conversations: 'What?' is no list"),
        ("vision_feedback_mix", MIX | {"conversations": "[]"}, "field conversations[-1]: None is no struct"),
        ("vision_feedback_mix", MIX | {"conversations": [HUMAN]}, "preference_values: None is no list"),
        (
            "vision_feedback_mix",
            MIX | {"conversations": [HUMAN, {"preference_values": ["a"]}]},
            "preference_values: 1 answers, not a good and a bad one",
        ),
        ("mmsafe_po", MMSAFE | {"prompt": "What is it?"}, "field prompt: does not start with USER:"),
        ("mmsafe_po", MMSAFE | {"prompt": "USER: Hi ASSISTANT: x", "image": None}, "of assistant, not of the user"),
        ("mmsafe_po", MMSAFE | {"chosen": "ASSISTANT:"}, "field chosen: empty"),
    ],
)
def test_a_bad_row_is_refused_with_its_field(form: str, row: dict[str, Any], told: str) -> None:
    assert told in refusal(form, row)
