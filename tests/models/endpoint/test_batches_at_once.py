"""Several threads ask one generator: no batch waits for another's slowest request, and all keep to the same limits."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dt2it_ray.data.chat import user_turn
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.stages.engine_fn import EngineFn
from dt2it_ray.stages.stage import Outcome
from tests.models.endpoint.asking import generator
from tests.models.endpoint.server import ChatServer, chat_server

WAIT_S = 30


def batch(name: str, rows: int) -> list[GenerationRequest]:
    return [GenerationRequest(f"{name}{row}", (user_turn(f"{name}{row}", 0),), (), 1) for row in range(rows)]


def first_words(made: list) -> list[str]:
    return [one[0].text.split()[0] for one in made]


def holding_back(server: ChatServer, question: str) -> tuple[threading.Event, threading.Event]:
    """Have the server keep the reply to a question back: events for its arrival and for its release."""
    came, go_on = threading.Event(), threading.Event()
    reply: Callable[[dict], dict] = server.reply

    def held_reply(body: dict) -> dict:
        told = reply(body)
        if told["choices"][0]["message"]["content"].split()[0] == question:
            came.set()
            go_on.wait(WAIT_S)
        return told

    server.reply = held_reply  # type: ignore[method-assign]
    return came, go_on


def test_a_batch_ends_while_a_request_of_another_is_held_back_and_both_keep_to_one_limit() -> None:
    with chat_server() as server, generator(server, max_concurrent=2) as endpoint, ThreadPoolExecutor(2) as threads:
        came, go_on = holding_back(server, "slow2")
        slow = threads.submit(endpoint.generate, batch("slow", 10))
        assert came.wait(WAIT_S)
        quick = threads.submit(endpoint.generate, batch("quick", 10)).result(timeout=WAIT_S)
        assert not slow.done()
        go_on.set()
        assert first_words(quick) == [f"quick{row}" for row in range(10)]
        assert first_words(slow.result(timeout=WAIT_S)) == [f"slow{row}" for row in range(10)]
    assert server.most_inside == 2
    assert endpoint.usage.replies == 20


def test_an_error_ends_the_batch_that_it_belongs_to_and_no_other() -> None:
    with chat_server(lambda number: "404" if number == 1 else "ok") as server:
        came, go_on = holding_back(server, "good0")
        with generator(server) as endpoint, ThreadPoolExecutor(1) as threads:
            good = threads.submit(endpoint.generate, batch("good", 1))
            assert came.wait(WAIT_S)
            with pytest.raises(StageFailed, match="status 404"):
                endpoint.generate(batch("bad", 1))
            go_on.set()
            assert first_words(good.result(timeout=WAIT_S)) == ["good0"]


def test_a_generator_is_closed_once_its_last_request_has_ended() -> None:
    before = set(threading.enumerate())
    with chat_server() as server, generator(server) as endpoint, ThreadPoolExecutor(2) as threads:
        came, go_on = holding_back(server, "a0")
        asked = threads.submit(endpoint.generate, batch("a", 1))
        assert came.wait(WAIT_S)
        closed = threads.submit(endpoint.close)
        go_on.set()
        assert first_words(asked.result(timeout=WAIT_S)) == ["a0"]
        closed.result(timeout=WAIT_S)
        with pytest.raises(StageFailed, match="endpoint engine has been closed"):
            endpoint.generate(batch("b", 1))
        endpoint.close()
    assert not any(thread.name == "endpoint" for thread in set(threading.enumerate()) - before)


def test_a_batch_that_comes_while_a_generator_closes_is_refused() -> None:
    with chat_server() as server, generator(server) as endpoint, ThreadPoolExecutor(2) as threads:
        came, go_on = holding_back(server, "a0")
        asked = threads.submit(endpoint.generate, batch("a", 1))
        assert came.wait(WAIT_S)
        closed = threads.submit(endpoint.close)
        with pytest.raises(StageFailed, match="endpoint engine has been closed"):
            [endpoint.generate(batch(f"late{number} ", 1)) for number in range(1000)]
        assert not asked.done()
        go_on.set()
        assert first_words(asked.result(timeout=WAIT_S)) == ["a0"]
        closed.result(timeout=WAIT_S)


def test_ray_is_told_how_many_batches_a_generator_takes_at_once() -> None:
    with chat_server() as server, generator(server) as endpoint:
        assert EngineFn(lambda batch: Outcome(batch), endpoint).calls_at_once == 3
