"""The native protocol: what a request may say, and how a reply is worded."""

import json
import math

import pytest

from dt2it_ray.models.assessment import Assessment
from dt2it_ray.serving.protocol import model_list, parse_request, reply, sigmoid
from dt2it_ray.serving.refusal import Refusal
from tests.serving.chats import answer, chat, question


def refused(request: object) -> Refusal:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    with pytest.raises(Refusal) as caught:
        parse_request(body)
    return caught.value


def test_plain_text_and_a_list_with_one_text_part_mean_the_same() -> None:
    plain = {"model": "m", "conversations": [{"messages": [{"role": "user", "content": "Q"}, answer("A")]}]}
    parts = {"model": "m", "conversations": [chat("Q", "A")]}
    assert parse_request(json.dumps(plain).encode()) == parse_request(json.dumps(parts).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[1,]", b"\xff", b'{"model": "\\ud800"}', b"[" * 5000])
def test_what_is_not_json_is_a_bad_request(body: bytes) -> None:
    refusal = refused(body)
    assert (refusal.status, refusal.code, refusal.param) == (400, "invalid_json", None)


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ([], None),
        ({"conversations": [chat("Q", "A")]}, "model"),
        ({"model": 1, "conversations": [chat("Q", "A")]}, "model"),
        ({"model": "m", "conversations": [chat("Q", "A")], "temprature": 1}, "temprature"),
        ({"model": "m", "conversations": "Q"}, "conversations"),
        ({"model": "m", "conversations": [{}]}, "conversations[0].messages"),
        ({"model": "m", "prompt": [question("Q")], "answers": ["A", 3]}, "answers[1]"),
        (
            {"model": "m", "conversations": [{"messages": [{"role": "tool", "content": "Q"}]}]},
            "conversations[0].messages[0].role",
        ),
        (
            {"model": "m", "prompt": [{"role": "user", "content": [{"type": "text"}]}], "answers": ["A"]},
            "prompt[0].content[0].text",
        ),
        (
            {
                "model": "m",
                "prompt": [{"role": "user", "content": [{"type": "image_url", "image_url": {"uri": ""}}]}],
                "answers": ["A"],
            },
            "prompt[0].content[0].image_url.url",
        ),
        (
            {"model": "m", "prompt": [{"role": "user", "content": [{"type": "video_url"}]}], "answers": ["A"]},
            "prompt[0].content[0]",
        ),
    ],
)
def test_a_wrong_field_is_named(request_: object, param: str | None) -> None:
    refusal = refused(request_)
    assert (refusal.status, refusal.code, refusal.param) == (422, "invalid_field", param)
    assert param is None or refusal.message.startswith(param)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prompt": [question("Q")]},
        {"answers": ["A"]},
        {"conversations": [chat("Q", "A")], "answers": ["A"]},
        {"conversations": [chat("Q", "A")], "prompt": [question("Q")], "answers": ["A"]},
        {"messages": [question("Q"), answer("A")], "conversations": [chat("Q", "A")]},
    ],
)
def test_a_request_has_exactly_one_of_three_forms(fields: dict[str, object]) -> None:
    refusal = refused({"model": "m", **fields})
    assert refusal.status == 422
    assert "give one of: `messages`; `conversations`; `prompt` with `answers`" in refusal.message


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        (chat("Q", "A"), "messages"),
        ({"conversations": [chat("Q", "A")]}, "conversations[0]"),
        ({"prompt": [question("Q")], "answers": ["A"]}, "answers[0]"),
    ],
)
def test_every_form_names_the_place_of_a_reward(fields: dict[str, object], place: str) -> None:
    assert parse_request(json.dumps({"model": "m", **fields}).encode()).place_of(0) == place


def test_a_reply_repeats_every_logit_exactly_and_keeps_the_order_of_logits() -> None:
    logits = [0.1 + 0.2, -1234.567891, 800.0, 5e-324, 0.0]
    text = reply("iter-02", "f00d", [Assessment(logit) for logit in logits]).model_dump_json()
    told = json.loads(text)
    assert [entry["logit"] for entry in told["data"]] == logits
    assert [entry["index"] for entry in told["data"]] == [0, 1, 2, 3, 4]
    assert all((entry["uncertainty"], entry["critiques"]) == (None, None) for entry in told["data"])
    assert (told["model"], told["fingerprint"], told["calibrated"]) == ("iter-02", "f00d", False)


def test_a_reply_tells_how_far_members_disagree_and_what_they_read() -> None:
    told = reply("all", "f00d", [Assessment(1.0, 0.25, ("It is right.",)), Assessment(0.0, 0.0)])
    assert [(entry.uncertainty, entry.critiques) for entry in told.data] == [(0.25, ("It is right.",)), (0.0, None)]


@pytest.mark.parametrize("logit", [-1e9, -745.0, -3.0, 0.0, 3.0, 745.0, 1e9])
def test_sigmoid_is_finite_and_symmetric(logit: float) -> None:
    assert 0 <= sigmoid(logit) <= 1
    assert math.isclose(sigmoid(logit) + sigmoid(-logit), 1)


def test_models_are_listed_as_openai_clients_expect() -> None:
    assert model_list(["iter-01/voter-0"], 7) == {
        "object": "list",
        "data": [{"id": "iter-01/voter-0", "object": "model", "created": 7, "owned_by": "dt2it_ray"}],
    }
