"""Answers from a chat server that fails: each request ends once, as answers or with a reason, and is paid for once."""

import base64
import random
from pathlib import Path

import pytest

from dt2it_ray.data.chat import user_turn
from dt2it_ray.data.dropped import Dropped
from dt2it_ray.data.schema import DropReason
from dt2it_ray.errors import StageFailed
from dt2it_ray.models.endpoint import client
from dt2it_ray.models.endpoint.settings import EndpointSettings
from dt2it_ray.models.model_settings import SamplingSettings
from dt2it_ray.models.protocols import GenerationRequest
from dt2it_ray.models.response_cache import ResponseCache
from dt2it_ray.store.files import Folder
from tests.models.endpoint.asking import generator, request, texts
from tests.models.endpoint.server import chat_server
from tests.models.random_model import picture

KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.001)


def test_every_request_gets_its_samples_in_order() -> None:
    with chat_server() as server, generator(server) as endpoint:
        made = endpoint.generate([request(str(number), samples=3) for number in range(20)])
    assert len(server.bodies) == 20
    for number, completions in enumerate(made):
        assert [text.split()[:2] for text in texts(completions)] == [["Q", f"{number}?"]] * 3
        assert len(set(texts(completions))) == 3
    assert {completion.tokens for completion in made[0] if not isinstance(completion, tuple)} == {7}


def test_images_go_along_as_data_urls() -> None:
    image = picture(1)
    with chat_server() as server, generator(server) as endpoint:
        endpoint.generate([request("a", images=(image,))])
    [part, text] = server.bodies[0]["messages"][0]["content"]
    assert part["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(image).decode()}"
    assert text == {"type": "text", "text": "Q a?"}
    assert {name: server.bodies[0][name] for name in ("model", "n", "temperature", "max_tokens")} == {
        "model": "m",
        "n": 2,
        "temperature": 1.0,
        "max_tokens": 64,
    }


def test_an_image_of_no_kind_drops_its_request_only() -> None:
    with chat_server() as server, generator(server) as endpoint:
        bad, good = endpoint.generate([request("a", images=(b"?",)), request("b")])
    assert isinstance(bad, Dropped)
    assert bad.reason is DropReason.IMAGE_UNDECODABLE
    assert len(texts(good)) == 2


@pytest.mark.parametrize("places", [0, 2])
def test_a_request_with_another_number_of_images_than_of_places_is_dropped_alone(places: int) -> None:
    wrong = GenerationRequest("a", (user_turn("Q a?", places),), (picture(1),), 2)
    with chat_server() as server, generator(server) as endpoint:
        bad, good = endpoint.generate([wrong, request("b")])
    assert isinstance(bad, Dropped)
    assert (bad.reason, bad.detail) == (
        DropReason.IMAGE_MISSING,
        f"{places} image places in the messages, 1 images given",
    )
    assert len(texts(good)) == 2
    assert len(server.bodies) == 1


@pytest.mark.parametrize("fault", ["429", "500", "503", "garbage", "encoding", "half", "silence", "gone"])
def test_a_fault_that_passes_costs_a_try(fault: str) -> None:
    timeout_s = 2 if fault == "silence" else 20
    with (
        chat_server(lambda number: fault if number < 2 else "ok") as server,
        generator(server, timeout_s=timeout_s) as endpoint,
    ):
        [made] = endpoint.generate([request("a")])
    assert len(texts(made)) == 2
    assert len(server.bodies) == 3


@pytest.mark.parametrize("fault", ["429", "500", "garbage", "encoding", "half", "silence", "gone"])
def test_a_fault_that_stays_drops_the_request_with_what_came(fault: str) -> None:
    timeout_s = 0.3 if fault == "silence" else 20
    with chat_server(lambda _: fault) as server, generator(server, attempts=3, timeout_s=timeout_s) as endpoint:
        [made] = endpoint.generate([request("a")])
    assert isinstance(made, Dropped)
    assert made.reason is DropReason.ENDPOINT_FAILED
    assert "3 tries" in made.detail
    assert len(server.bodies) == 3
    if fault == "garbage":
        assert "certainly!" in made.evidence


def test_a_request_that_is_refused_is_not_tried_again() -> None:
    with chat_server(lambda _: "400") as server, generator(server) as endpoint:
        [made] = endpoint.generate([request("a")])
    assert isinstance(made, Dropped)
    assert made.reason is DropReason.REQUEST_REFUSED
    assert len(server.bodies) == 1


def test_under_random_faults_every_request_ends_exactly_once() -> None:
    draw = random.Random(1)
    faults = [draw.choice(["ok", "ok", "429", "500", "garbage", "half", "gone", "400"]) for _ in range(2000)]
    with chat_server(faults.__getitem__) as server, generator(server, attempts=2) as endpoint:
        made = endpoint.generate([request(str(number)) for number in range(200)])
    assert len(made) == 200
    reasons = {one.reason for one in made if isinstance(one, Dropped)}
    assert reasons == {DropReason.ENDPOINT_FAILED, DropReason.REQUEST_REFUSED}
    for number, one in enumerate(made):
        if not isinstance(one, Dropped):
            assert [text.split()[1] for text in texts(one)] == [f"{number}?"] * 2


@pytest.mark.parametrize("status", ["401", "403", "404"])
def test_a_server_that_answers_nobody_stops_the_step_and_does_not_tell_the_key(status: str) -> None:
    with (
        chat_server(lambda _: status) as server,
        generator(server) as endpoint,
        pytest.raises(StageFailed, match=f"status {status}.*Check the url") as failure,
    ):
        endpoint.generate([request("a"), request("b")])
    assert server.keys[0] == f"Bearer {KEY}"
    assert KEY not in str(failure.value)


def test_evidence_does_not_hold_the_key() -> None:
    with chat_server(lambda _: "500") as server, generator(server, attempts=1) as endpoint:
        [made] = endpoint.generate([request("a")])
    assert isinstance(made, Dropped)
    assert "Bearer (key)" in made.evidence


def test_a_server_that_gives_fewer_answers_is_asked_for_the_rest() -> None:
    with chat_server(most_choices=1) as server, generator(server) as endpoint:
        [made] = endpoint.generate([request("a", samples=3)])
    assert len(set(texts(made))) == 3
    assert [body["n"] for body in server.bodies] == [3, 2, 1]


def test_no_more_requests_are_under_way_than_allowed() -> None:
    with chat_server() as server, generator(server, max_concurrent=3) as endpoint:
        endpoint.generate([request(str(number)) for number in range(30)])
    assert server.most_inside <= 3


def test_what_the_cache_has_is_not_asked_again_and_what_changed_is(tmp_path: Path) -> None:
    cache = ResponseCache(Folder(str(tmp_path)))
    prices = {"input_price": 1e6, "output_price": 1e6}
    with chat_server() as server:
        with generator(server, cache, **prices) as endpoint:
            [first] = endpoint.generate([request("a", samples=2)])
            assert (endpoint.usage.spent, endpoint.usage.hits) == (10 + 14, 0)
        with generator(server, cache, **prices) as endpoint:
            [again] = endpoint.generate([request("a", samples=2)])
            assert (endpoint.usage.saved, endpoint.usage.spent, endpoint.usage.hits) == (10 + 14, 0, 2)
            assert again == first
            assert len(server.bodies) == 1
            [more] = endpoint.generate([request("a", samples=4)])
            assert texts(more)[:2] == texts(first)
            assert server.bodies[-1]["n"] == 2
        for changed in (
            {"model": "other"},
            {"revision": "2"},
            {"sampling": SamplingSettings(temperature=0.5)},
            {"sampling": SamplingSettings(seed=1)},
        ):
            asked = len(server.bodies)
            with generator(server, cache, **changed) as endpoint:
                endpoint.generate([request("a", samples=2)])
            assert len(server.bodies) == asked + 1


@pytest.mark.parametrize(("temperature", "asked"), [(1.0, 2), (0.0, 1)])
def test_a_drawn_reply_is_kept_for_its_own_key_and_a_certain_one_for_all(
    tmp_path: Path, temperature: float, asked: int
) -> None:
    cache = ResponseCache(Folder(str(tmp_path)))
    turns = (user_turn("Q?", 0),)
    sampling = SamplingSettings(temperature=temperature)
    with chat_server() as server, generator(server, cache, sampling=sampling) as endpoint:
        for judge in ("A", "B", "A"):
            endpoint.generate([GenerationRequest(judge, turns, (), 1)])
    assert len(server.bodies) == asked


def test_what_is_under_way_when_a_step_ends_is_kept_and_the_rest_is_not_asked(tmp_path: Path) -> None:
    cache = ResponseCache(Folder(str(tmp_path)))
    with (
        chat_server(lambda number: "404" if number == 1 else "ok late") as server,
        generator(server, cache, max_concurrent=3) as endpoint,
        pytest.raises(StageFailed, match="404"),
    ):
        endpoint.generate([request(str(number)) for number in range(20)])
    assert endpoint.usage.replies == 2 * (len(server.bodies) - 1)
    assert sum(1 for _ in tmp_path.rglob("*.json")) == endpoint.usage.replies
    assert 3 <= len(server.bodies) < 20


def test_replies_are_kept_as_they_come(tmp_path: Path) -> None:
    cache = ResponseCache(Folder(str(tmp_path)))
    with chat_server(lambda number: "ok" if number < 5 else "404") as server:
        with generator(server, cache, max_concurrent=1) as endpoint, pytest.raises(StageFailed):
            endpoint.generate([request(str(number)) for number in range(9)])
        with generator(server, cache) as endpoint, pytest.raises(StageFailed):
            endpoint.generate([request(str(number)) for number in range(9)])
        assert endpoint.usage.hits == 10


def test_where_and_how_fast_a_server_is_asked_is_not_what_it_answers() -> None:
    told = EndpointSettings(model="m", url="https://a.b/v1", attempts=1, requests_per_minute=3).model_dump()
    assert told == {"model": "m", "revision": "", "json_schema": True}
