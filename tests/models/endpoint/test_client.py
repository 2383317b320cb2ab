"""How a server's answers are read, and how its limits are kept."""

import asyncio
import email.utils
import json
import time

import httpx
import pytest

from dt2it_ray.data.dropped import Dropped
from dt2it_ray.errors import ConfigError
from dt2it_ray.models.endpoint import client
from dt2it_ray.models.endpoint.client import EndpointClient
from dt2it_ray.models.endpoint.reply import ChatReply, Choice, Trouble, read_reply, retry_after_s
from dt2it_ray.models.endpoint.settings import EndpointSettings
from tests.models.endpoint.server import chat_server

ANSWER = {"message": {"role": "assistant", "content": "A"}, "finish_reason": "length", "index": 0}


def test_a_completion_is_read_with_its_tokens_and_reasons() -> None:
    body = {"id": "x", "choices": [ANSWER], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}
    assert read_reply(200, {}, json.dumps(body).encode()) == ChatReply((Choice("A", "length"),), 5, 2)


def test_a_server_need_not_tell_tokens_or_reasons() -> None:
    body = {"choices": [{"message": {"content": "A"}}]}
    assert read_reply(200, {}, json.dumps(body).encode()) == ChatReply((Choice("A", "stop"),), 0, 0)


def test_a_choice_without_text_is_empty_and_spoils_no_other() -> None:
    body = {"choices": [{"message": {"content": None}, "finish_reason": "content_filter"}, ANSWER]}
    told = ChatReply((Choice("", "content_filter"), Choice("A", "length")), 0, 0)
    assert read_reply(200, {}, json.dumps(body).encode()) == told


def test_a_key_is_read_without_the_space_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " sk-secret\n")
    with chat_server() as server:
        asking = EndpointClient(EndpointSettings(model="m", url=server.url))

        async def ask() -> object:
            told = await asking.complete({"messages": [{"content": "Q"}], "n": 1, "seed": 0}, 1)
            await asking.aclose()
            return told

        assert isinstance(asyncio.run(ask()), ChatReply)
    assert server.keys == ["Bearer sk-secret"]


@pytest.mark.parametrize("key", ["sk-\nsecret", "sk-secrét", "sk\x7fsecret"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_told(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as failure:
        EndpointClient(EndpointSettings(model="m"))
    assert "sec" not in str(failure.value)


def test_an_error_that_quotes_the_key_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    asking = EndpointClient(EndpointSettings(model="m", attempts=1))

    async def ask() -> object:
        async def refuse(*_: object, **__: object) -> None:
            raise httpx.LocalProtocolError("Illegal header value b'Bearer sk-secret'")

        monkeypatch.setattr(httpx.AsyncClient, "post", refuse)
        told = await asking.complete({}, 1)
        await asking.aclose()
        return told

    told = asyncio.run(ask())
    assert isinstance(told, Dropped)
    assert "Bearer (key)" in told.detail


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "choices"),
        ({"choices": []}, "choices"),
        ({"choices": [{"message": {}}]}, "choices.0.message.content"),
        ([1], "no chat completion"),
    ],
)
def test_a_body_that_is_no_completion_is_trouble_that_names_the_place(body: object, said: str) -> None:
    told = read_reply(200, {}, json.dumps(body).encode())
    assert isinstance(told, Trouble)
    assert said in told.what


def test_the_wait_that_a_server_asks_for_is_read_as_number_and_as_date() -> None:
    assert retry_after_s("7") == 7
    assert retry_after_s(email.utils.formatdate(time.time() + 100, usegmt=True)) == pytest.approx(100, abs=5)
    assert retry_after_s(email.utils.formatdate(time.time() - 100, usegmt=True)) == 0
    assert retry_after_s("") is None
    assert retry_after_s("soon") is None


def test_tries_wait_longer_each_time_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    with chat_server(lambda _: "503") as server:
        settings = EndpointSettings(model="m", url=server.url, attempts=9, longest_wait_s=20)
        asking = EndpointClient(settings)

        async def ask() -> None:
            monkeypatch.setattr(client.asyncio, "sleep", note)
            await asking.complete({"messages": [{"content": "Q"}], "n": 1, "seed": 0}, 1)
            await asking.aclose()

        asyncio.run(ask())
    grown = [client.FIRST_WAIT_S * 2**attempt for attempt in range(1, 9)]
    assert len(waits) == 8
    assert all(min(full / 2, 20) <= wait <= min(full, 20) for wait, full in zip(waits, grown, strict=True))


def test_requests_and_tokens_are_taken_from_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: dict[float, list[float]] = {}

    class Recorder:
        def __init__(self, max_rate: float, time_period: float) -> None:
            assert time_period == 60
            self.max_rate = max_rate

        async def acquire(self, amount: float = 1) -> None:
            taken.setdefault(self.max_rate, []).append(amount)

    monkeypatch.setattr(client, "AsyncLimiter", Recorder)
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.001)
    with chat_server(lambda number: "ok" if number else "500") as server:
        settings = EndpointSettings(model="m", url=server.url, requests_per_minute=3, tokens_per_minute=1000)
        asking = EndpointClient(settings)

        async def ask() -> None:
            for tokens in (40, 5000):
                await asking.complete({"messages": [{"content": "Q"}], "n": 1, "seed": 0}, tokens)
            await asking.aclose()

        asyncio.run(ask())
    # The first request is tried twice; one that is larger than a whole minute's tokens takes them all.
    assert taken == {3: [1, 1, 1], 1000: [40, 40, 1000]}
