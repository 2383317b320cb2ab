"""Pairs of whole chats: lists of messages as Skywork and Tulu have them, and HH-RLHF's strings."""

from typing import Any

import pytest

from dt2it_ray.data.formats.preference import Preference, Turn
from dt2it_ray.data.formats.preferences import chat_pairs, hh_rlhf
from tests.data.formats.preferences.reading import named, only, refusal, texts

ASKED = [{"content": "Hi", "role": "user"}, {"content": "Hello", "role": "assistant"}, {"content": "Q", "role": "user"}]
ROW = {
    "chosen": [*ASKED, {"content": "a", "role": "assistant"}],
    "rejected": [*ASKED, {"content": "b", "role": "assistant"}],
    "source": "magpie",
}
HELLO = (Turn("user", "Hi"), Turn("assistant", "Hello"))
START = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Q\n\nAssistant:"


@pytest.mark.parametrize("form", ["skywork", "tulu"])
def test_all_but_the_last_turn_is_the_prompt(form: str) -> None:
    found = only(form, ROW | {"id": 12})
    assert texts(found) == ("Q", "a", "b")
    assert (found.history, found.source, found.item) == (HELLO, "magpie", "12")


def test_texts_only_speak_of_marks() -> None:
    row = {name: [{"role": "user", "content": "<image>?"}, *ROW[name][-1:]] for name in ("chosen", "rejected")}
    assert only("skywork", row).question == "<image>?"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rejected": [{"role": "user", "content": "Other"}, ROW["rejected"][-1]]}, "field rejected: its turns before"),
        ({"rejected": None}, "field rejected: None is no list"),
        ({"chosen": ASKED, "rejected": ASKED}, "field chosen: does not end with an answer of the assistant"),
        ({"chosen": [], "rejected": []}, "field chosen: does not end with an answer"),
        ({"rejected": ROW["chosen"]}, "answers_equal"),
        ({name: [ROW[name][-1]] for name in ("chosen", "rejected")}, "of nobody, not of the user"),
    ],
)
def test_a_bad_pair_of_chats_is_refused_with_its_field(change: dict[str, Any], told: str) -> None:
    assert told in refusal("skywork", ROW | change)


def test_strings_are_split_at_their_speakers() -> None:
    found = only("hh_rlhf", {"chosen": f"{START} a", "rejected": f"{START} b\n\nmore"})
    assert texts(found) == ("Q", "a", "b\n\nmore")
    assert found.history == HELLO


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"chosen": "Human: Q\n\nAssistant: a"}, "field chosen: does not start with an empty line and Human:"),
        ({"chosen": "no speaker"}, "field chosen: does not start"),
        ({"rejected": START}, "field rejected[3].content: empty"),
        ({"rejected": "\n\nHuman: Other\n\nAssistant: b"}, "field rejected: its turns before the last one"),
        ({"rejected": 5}, "field rejected: 5 is not a text"),
    ],
)
def test_a_bad_string_is_refused_with_its_field(change: dict[str, Any], told: str) -> None:
    assert told in refusal("hh_rlhf", {"chosen": f"{START} a", "rejected": f"{START} b"} | change)


@pytest.mark.parametrize(
    "pair",
    [
        Preference("Q", "a", "b", images=named("a.png")),
        Preference("Q", "a", "b", history=(Turn("system", "Be brief."),)),
        Preference("Q\n\nAssistant: x", "a", "b"),
        Preference("Q", "a\n\nHuman: Q", "b"),
        Preference("Q", "a", "b\n\nAssistant:"),
    ],
)
def test_strings_do_not_hold_images_system_prompts_or_their_own_marks(pair: Preference) -> None:
    assert hh_rlhf.release(pair, [image["path"] for image in pair.images]) is None


def test_chats_of_texts_do_not_hold_images() -> None:
    assert chat_pairs.release(Preference("Q", "a", "b", images=named("a.png")), ["a.png"]) is None
