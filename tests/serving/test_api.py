"""The HTTP routes in memory: every check, in its order, and every error in the OpenAI shape."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.models.assessment import Assessment
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.serving.api import Scored, build_api
from dt2it_ray.serving.auth import token_digest
from dt2it_ray.serving.refusal import Refusal
from dt2it_ray.serving.settings import Limits, ServeSettings
from tests.serving.chats import chat, data_url, png, question
from tests.serving.fakes import fake_reward

TOKEN = "correct-horse"
SETTINGS = ServeSettings(limits=Limits(max_body_bytes=20_000, max_conversations=3))
IMPATIENT = ServeSettings(request_timeout_s=0.2)


class FakeBackend:
    """Models that answer at once or fail in the way their name says."""

    names = ("iter-00", "iter-01/voter-0", "busy", "gone", "stuck", "broken", "infinite", "short")

    async def score(self, model: str, conversations: Sequence[Conversation]) -> Scored:
        """Rewards by `fake_reward`, or the failure of the model's name."""
        if model == "busy":
            raise Refusal(429, "queue_full", "too many requests")
        if model == "gone":
            raise Refusal(503, "model_unavailable", "the process stopped")
        if model == "stuck":
            await asyncio.sleep(60)
        if model == "broken":
            raise RuntimeError("a secret of the inside")
        if model == "infinite":
            return Scored("f00d", [Assessment(float("inf"))])
        if model == "short":
            return Scored("f00d", [Assessment(1.0), Dropped(DropReason.PROMPT_TOO_LONG, "9 tokens")])
        return Scored("f00d", [Assessment(fake_reward(conversation, 0)) for conversation in conversations])


def ask(
    method: str, path: str, token: str | None = TOKEN, settings: ServeSettings = SETTINGS, **content: Any
) -> httpx.Response:
    async def send() -> httpx.Response:
        api = build_api(FakeBackend(), settings, token_digest(TOKEN))
        # The handler of unexpected errors answers and raises again, for the server's log.
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.request(method, path, headers=headers, **content)

    return asyncio.run(send())


def reward(model: str = "iter-00", **fields: Any) -> httpx.Response:
    return ask("POST", "/v1/reward", json={"model": model, **(fields or {"conversations": [chat("Q", "A")]})})


def error_of(response: httpx.Response) -> tuple[int, str, str | None, str]:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return response.status_code, error["type"], error["param"], error["code"]


def test_scores_come_in_the_order_of_the_request() -> None:
    answers = ["A", "much longer than A", "AB"]
    told = reward(prompt=[question("Q", data_url(png()))], answers=answers).json()
    logits = [entry["logit"] for entry in told["data"]]
    assert (told["model"], told["fingerprint"]) == ("iter-00", "f00d")
    assert logits[1] > logits[2] > logits[0]
    assert sorted(entry["score"] for entry in told["data"]) == [told["data"][place]["score"] for place in (0, 2, 1)]


def test_health_needs_no_token_and_nothing_else_goes_without() -> None:
    assert ask("GET", "/health", token=None).json() == {"status": "ok"}
    for method, path in (("GET", "/v1/models"), ("POST", "/v1/reward")):
        for token in (None, "wrong"):
            response = ask(method, path, token=token)
            assert error_of(response) == (401, "authentication_error", None, "invalid_token")
            assert response.headers["www-authenticate"] == "Bearer"


def test_a_stranger_s_body_is_not_read() -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read before the token was checked")
        yield b""

    assert ask("POST", "/v1/reward", token="wrong", content=body()).status_code == 401


def test_models_are_listed_in_order() -> None:
    assert [entry["id"] for entry in ask("GET", "/v1/models").json()["data"]] == list(FakeBackend.names)


def test_an_unknown_model_lists_the_known_ones() -> None:
    response = reward("iter-99")
    assert error_of(response) == (404, "not_found_error", "model", "model_not_found")
    assert "iter-00, iter-01/voter-0" in response.json()["error"]["message"]


def test_bad_requests_say_what_is_wrong() -> None:
    assert error_of(ask("POST", "/v1/reward", content=b"{")) == (400, "invalid_request_error", None, "invalid_json")
    assert error_of(reward(text="Q"))[0] == 422
    assert error_of(reward(conversations=[chat("Q", "A")] * 4))[::3] == (413, "too_many_conversations")
    assert error_of(reward(conversations=[chat("Q", "A", "http://example.com/a.png")]))[::3] == (
        400,
        "image_url_refused",
    )
    assert error_of(reward(conversations=[chat("Q", "A", data_url(b"?"))]))[::3] == (422, "image_undecodable")


def test_unknown_paths_and_methods_are_errors_of_the_same_shape() -> None:
    assert error_of(ask("GET", "/v1/nothing"))[0] == 404
    response = ask("GET", "/v1/reward")
    assert error_of(response)[0] == 405
    assert response.headers["allow"] == "POST"


def test_a_long_body_is_refused_before_it_has_arrived() -> None:
    sent = []

    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            sent.append(1000)
            yield b" " * 1000

    assert error_of(ask("POST", "/v1/reward", content=b" " * 20_001))[::3] == (413, "body_too_large")
    assert error_of(ask("POST", "/v1/reward", content=body()))[::3] == (413, "body_too_large")
    assert sum(sent) == 21_000
    assert error_of(ask("POST", "/v1/reward", content=b" " * 20_000))[::3] == (400, "invalid_json")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("busy", (429, "rate_limit_error", None, "queue_full")),
        ("gone", (503, "overloaded_error", None, "model_unavailable")),
    ],
)
def test_a_client_that_should_come_back_is_told_when(model: str, expected: tuple[object, ...]) -> None:
    response = reward(model)
    assert error_of(response) == expected
    assert int(response.headers["retry-after"]) >= 1


def test_a_request_that_takes_too_long_is_given_up() -> None:
    body = {"model": "stuck", "conversations": [chat("Q", "A")]}
    response = ask("POST", "/v1/reward", settings=IMPATIENT, json=body)
    assert error_of(response) == (503, "overloaded_error", None, "timeout")
    assert "within 0.2 s" in response.json()["error"]["message"]
    assert int(response.headers["retry-after"]) >= 1


def test_what_breaks_inside_is_not_told() -> None:
    response = reward("broken")
    assert error_of(response) == (500, "server_error", None, "internal_error")
    assert "secret" not in response.text


def test_a_score_that_is_no_number_is_an_error_and_not_null() -> None:
    assert error_of(reward("infinite")) == (500, "server_error", "conversations[0]", "reward_not_finite")


def test_a_conversation_that_the_model_refuses_is_named() -> None:
    response = reward("short", prompt=[question("Q")], answers=["A", "B"])
    assert error_of(response) == (413, "invalid_request_error", "answers[1]", "context_length_exceeded")
