"""LLaMA-Factory's rows: its two layouts and the messages of version 1, with turns, system prompts and images."""

from typing import Any

import pytest

from dt2it_ray.data.formats.preference import Preference, Turn
from dt2it_ray.data.formats.preferences.llama_factory import release
from tests.data.formats.preferences.reading import named, only, refusal, texts

HUMAN = {"from": "human", "value": "<image>What is it?"}
SHAREGPT = {
    "conversations": [HUMAN],
    "chosen": {"from": "gpt", "value": "A cat."},
    "rejected": {"from": "gpt", "value": "A dog."},
    "images": ["a.png"],
}
ALPACA = {"instruction": "Add.", "input": "1 + 1", "chosen": "2", "rejected": "3"}


def version_1(text: str, *more: dict[str, Any]) -> list[dict[str, Any]]:
    asked = [{"type": "image_url", "value": "a.png"}, {"type": "text", "value": "Which?"}]
    return [
        {"role": "system", "content": [{"type": "text", "value": "Be brief."}], "loss_weight": 0.0},
        {"role": "user", "content": asked, "loss_weight": 0.0},
        *more,
        {"role": "assistant", "content": [{"type": "text", "value": text}], "loss_weight": 1.0},
    ]


def test_a_sharegpt_row_is_a_pair_about_its_image() -> None:
    found = only("llama_factory", SHAREGPT | {"margin": 1.5})
    assert texts(found) == ("What is it?", "A cat.", "A dog.")
    assert (found.images, found.history, found.strength) == (named("a.png"), (), 1.5)


def test_turns_before_the_question_show_their_own_images() -> None:
    turns = [HUMAN, {"from": "gpt", "value": "A cat."}, {"from": "human", "value": "And here?<image>"}]
    found = only("llama_factory", SHAREGPT | {"conversations": turns, "images": ["a.png", "b.png"]})
    assert found.history == (Turn("user", "What is it?", 1), Turn("assistant", "A cat."))
    assert (found.question, found.images) == ("And here?", named("a.png", "b.png"))


def test_a_system_prompt_stands_in_a_column_or_as_the_first_turn_which_counts_first() -> None:
    own = [{"from": "system", "value": "Own."}, HUMAN]
    assert only("llama_factory", SHAREGPT | {"system": "Be brief."}).history == (Turn("system", "Be brief."),)
    assert only("llama_factory", SHAREGPT | {"system": "Be brief.", "conversations": own}).history == (
        Turn("system", "Own."),
    )
    assert only("llama_factory", SHAREGPT | {"system": ""}).history == ()


def test_openai_messages_and_a_single_image_are_read_too() -> None:
    row = {
        "messages": [{"role": "user", "content": "<image>\nWhat is it?"}],
        "chosen": {"role": "assistant", "content": "A cat."},
        "rejected": {"role": "assistant", "content": "A dog."},
        "images": "a.png",
    }
    assert only("llama_factory", row) == only("llama_factory", SHAREGPT)


def test_alpaca_joins_instruction_and_input_and_has_its_history_in_pairs() -> None:
    found = only("llama_factory", ALPACA | {"history": [["Hello", "Hi"]], "system": "Be brief."})
    assert texts(found) == ("Add.\n1 + 1", "2", "3")
    assert found.history == (Turn("system", "Be brief."), Turn("user", "Hello"), Turn("assistant", "Hi"))
    assert only("llama_factory", {**ALPACA, "input": ""}).question == "Add."


def test_version_1_has_parts_with_values_and_images_among_them() -> None:
    row = {"chosen_messages": version_1("Left."), "rejected_messages": version_1("Right.")}
    found = only("llama_factory", row)
    assert texts(found) == ("Which?", "Left.", "Right.")
    assert (found.images, found.history) == (named("a.png"), (Turn("system", "Be brief."),))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"images": []}, "field_invalid: field conversations: 1 <image> for 0 images"),
        ({"images": ["a.png", "b.png"]}, "1 <image> for 2 images"),
        ({"images": [None]}, "image_missing: field images"),
        ({"videos": ["v.mp4"]}, "field videos: a reward model here can be shown images only"),
        ({"audios": ["s.wav"]}, "field audios"),
        ({"conversations": [{"from": "human", "value": "<video>What?"}]}, "conversations[0].value: <video>"),
        ({"conversations": [{"from": "human", "value": "<audio>What?"}]}, "<audio> stands for a file"),
        ({"conversations": []}, "field conversations: 0 <image> for 1 images"),
        ({"conversations": [HUMAN, {"from": "gpt", "value": "A cat."}]}, "of assistant, not of the user"),
        ({"conversations": [HUMAN, {"from": "observation", "value": "x"}]}, "conversations[1].from: 'observation'"),
        ({"conversations": [{"from": "human", "value": "<image>"}]}, "conversations[0].value: empty"),
        ({"conversations": [{"from": "human", "value": "\ud800"}]}, "conversations[0].value: holds an escaped half"),
        ({"conversations": [HUMAN, {"from": "system", "value": "x"}]}, "conversations[1]: a system prompt behind"),
        ({"conversations": "What?"}, "field conversations: 'What?' is no list"),
        ({"chosen": "A cat."}, "field chosen: 'A cat.' is no struct"),
        ({"chosen": {"from": "gpt", "value": " "}}, "chosen[0].value: empty"),
        ({"chosen": {"from": "human", "value": "A cat."}}, "field chosen: an answer of the user"),
        ({"rejected": {"from": "gpt", "value": "<image>"}}, "rejected[0].value: empty"),
        ({"rejected": {"from": "gpt", "value": "see <image>"}}, "rejected[0]: the assistant shows an image"),
        ({"rejected": {"from": "gpt", "value": "A cat."}}, "answers_equal: chosen and rejected"),
        ({"margin": "much"}, "field margin: 'much' is no number"),
    ],
)
def test_a_bad_sharegpt_row_is_refused_with_its_field(change: dict[str, Any], told: str) -> None:
    assert told in refusal("llama_factory", SHAREGPT | change)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"messages": [{"role": "user", "content": "Q"}]}, "field chosen: missing"),
        ({"text": "no known layout", "chosen": "a", "rejected": "b"}, "field instruction: missing"),
        (ALPACA | {"history": 5}, "field history: 5 is no list"),
        (ALPACA | {"history": [["alone"]]}, "field history[0]: 1 texts"),
        (ALPACA | {"chosen": "<image>2"}, "field chosen: the answer shows an image"),
        (
            {"chosen_messages": version_1("a", {"role": "user", "content": "x"}), "rejected_messages": version_1("b")},
            "field rejected_messages: its turns before the last one are not those of chosen_messages",
        ),
        ({"chosen_messages": version_1("a")}, "field rejected_messages: missing"),
        (
            {"chosen_messages": [{"role": "user", "content": [{"type": "audio_url", "value": "x"}]}]}
            | {"rejected_messages": version_1("b")},
            "chosen_messages[0].content[0].type: 'audio_url' is neither text nor image",
        ),
    ],
)
def test_other_bad_rows_are_refused_with_their_field(row: dict[str, Any], told: str) -> None:
    assert told in refusal("llama_factory", row)


def test_turns_that_llama_factory_would_skip_are_not_written() -> None:
    after_assistant = Preference("Q", "a", "b", history=(Turn("assistant", "Hello."),))
    assert release(after_assistant, []) is None
    two_users = Preference("Q", "a", "b", history=(Turn("user", "One."),))
    assert release(two_users, []) is None


@pytest.mark.parametrize("place", ["question", "chosen", "rejected", "system"])
@pytest.mark.parametrize("mark", ["<image>", "<video>", "<audio>"])
def test_a_text_that_would_count_as_a_file_is_not_written(place: str, mark: str) -> None:
    said = {"question": "Q", "chosen": "a", "rejected": "b", "system": "s"} | {place: f"see {mark}"}
    history = (Turn("system", said.pop("system")),)
    assert release(Preference(**said, history=history), []) is None
