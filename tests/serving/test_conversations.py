"""From chat messages to what a reward model scores: the same conversation as in training, or a refusal."""

import json
from typing import Any

import pytest

from dt2it_ray.data.chat import answered
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.serving.conversations import conversations_of
from dt2it_ray.serving.protocol import parse_request
from dt2it_ray.serving.refusal import Refusal
from dt2it_ray.serving.settings import Limits
from tests.serving.chats import answer, chat, data_url, image_part, png, question

RED, BLUE = png(colour="red"), png(colour="blue")


def convert(limits: Limits | None = None, **fields: Any) -> list[Conversation]:
    return conversations_of(parse_request(json.dumps({"model": "m", **fields}).encode()), limits or Limits())


def refused(limits: Limits | None = None, **fields: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        convert(limits, **fields)
    return caught.value


@pytest.mark.parametrize(("text", "reply"), [("What is this?", "A cat."), ("这是什么？", "A cat.")])
def test_a_conversation_equals_what_the_run_scored(text: str, reply: str) -> None:
    [conversation] = convert(conversations=[chat(text, reply, data_url(RED), data_url(BLUE))])
    assert list(conversation.messages) == answered(text, 2, reply)
    assert conversation.images == (RED, BLUE)


def test_a_system_prompt_of_the_client_is_kept() -> None:
    own = {"role": "system", "content": "Be strict."}
    [conversation] = convert(conversations=[{"messages": [own, question("Q"), answer("A")]}])
    assert conversation.messages[0] == own
    assert len(conversation.messages) == 3


def test_images_stay_where_the_client_put_them() -> None:
    parts = [{"type": "text", "text": "first"}, image_part(data_url(BLUE)), {"type": "text", "text": "last"}]
    [conversation] = convert(prompt=[{"role": "user", "content": parts}], answers=["A"])
    kinds = [part["type"] for part in conversation.messages[0]["content"]]
    assert kinds == ["text", "image", "text"]
    assert conversation.images == (BLUE,)


def test_answers_to_a_shared_prompt_equal_whole_conversations() -> None:
    url = data_url(RED)
    shared = convert(prompt=[question("Q", url)], answers=["A", "", "B"])
    assert shared == convert(conversations=[chat("Q", text, url) for text in ("A", "", "B")])
    assert shared[0].images is shared[2].images


def test_one_conversation_equals_a_list_of_one() -> None:
    one = chat("Q", "A", data_url(RED))
    assert convert(**one) == convert(conversations=[one])


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "/etc/passwd",
        "data:text/html;base64,AAAA",
        "data:image/png,AAAA",
        "",
    ],
)
def test_only_images_inside_the_request_are_accepted(url: str) -> None:
    refusal = refused(conversations=[chat("Q", "A", url)])
    assert (refusal.status, refusal.code) == (400, "image_url_refused")
    assert refusal.param == "conversations[0].messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,",
        "data:image/png;base64,@@@@",
        "data:image/png;base64,iVBORé",
        data_url(b"not an image"),
        data_url(png(64)[:-30]),
        data_url(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    ],
)
def test_a_broken_image_is_named(url: str) -> None:
    refusal = refused(prompt=[question("Q", data_url(RED), url)], answers=["A"])
    assert (refusal.status, refusal.code) == (422, "image_undecodable")
    assert refusal.param == "prompt[0].content[1].image_url.url"


@pytest.mark.parametrize(
    ("limits", "fields", "code"),
    [
        (Limits(max_conversations=1), {"conversations": [chat("Q", "A")] * 2}, "too_many_conversations"),
        (Limits(max_conversations=1), {"prompt": [question("Q")], "answers": ["A", "B"]}, "too_many_conversations"),
        (Limits(max_images=1), {"conversations": [chat("Q", "A", *[data_url(RED)] * 2)]}, "too_many_images"),
        (Limits(max_image_pixels=15), {"conversations": [chat("Q", "A", data_url(RED))]}, "image_too_large"),
        (Limits(max_request_pixels=31), {"conversations": [chat("Q", "A", *[data_url(RED)] * 2)]}, "too_many_pixels"),
        (Limits(max_parts=1), {"prompt": [question(""), question("Q")], "answers": ["A"]}, "too_many_parts"),
        (
            Limits(max_parts=1),
            {"prompt": [{"role": "user", "content": []}, question("Q")], "answers": ["A"]},
            "too_many_parts",
        ),
        (Limits(max_characters=2), {"conversations": [chat("Q", "AB")]}, "too_many_characters"),
        (Limits(max_characters=2), {"prompt": [question("Q")], "answers": ["A", "AB"]}, "too_many_characters"),
    ],
)
def test_more_than_a_limit_is_refused_and_the_limit_itself_is_not(
    limits: Limits, fields: dict[str, Any], code: str
) -> None:
    refusal = refused(limits, **fields)
    assert (refusal.status, refusal.code) == (413, code)
    [(name, value)] = limits.model_dump(exclude_defaults=True).items()
    assert convert(Limits.model_validate({name: value + 1}), **fields)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"conversations": []}, "empty_request"),
        ({"prompt": [question("Q")], "answers": []}, "empty_request"),
        ({"messages": []}, "no_answer"),
        ({"conversations": [{"messages": []}]}, "no_answer"),
        ({"conversations": [{"messages": [question("Q")]}]}, "no_answer"),
        ({"conversations": [{"messages": [answer("A")]}]}, "no_question"),
        ({"prompt": [], "answers": ["A"]}, "no_question"),
        ({"prompt": [question("Q"), answer("A")], "answers": ["A"]}, "no_question"),
        (
            {"prompt": [question("Q"), {"role": "system", "content": "S"}, question("Q")], "answers": ["A"]},
            "misplaced_system",
        ),
        (
            {"conversations": [{"messages": [question("Q"), {"role": "assistant", "content": [image_part("x")]}]}]},
            "misplaced_image",
        ),
    ],
)
def test_turns_that_are_no_conversation_are_refused(fields: dict[str, Any], code: str) -> None:
    refusal = refused(**fields)
    assert (refusal.status, refusal.code) == (422, code)
