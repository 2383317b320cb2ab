"""The whole server on Ray Serve, asked over HTTP, with models that need no torch."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from dt2it_ray.data.chat import answered
from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.protocols import Conversation
from dt2it_ray.serving.app import Server, start
from dt2it_ray.serving.settings import Limits, ServeSettings
from tests.serving.chats import chat, data_url, png, question
from tests.serving.fakes import CLOSED, fake_reward, write_fake_model

pytestmark = pytest.mark.ray

BIASES = {"raw_baseline": 0.0, "iter-00": 10.0, "iter-01/voter-0": 20.0, "iter-01/voter-1": 30.0}
SETTINGS = ServeSettings(
    port=0,
    scorer="tests.serving.fakes:FakeScorer",
    models_per_replica=3,
    cpus_per_replica=0.5,
    max_batch_size=8,
    batch_wait_s=0.2,
    max_ongoing_requests=8,
    max_queued_requests=4,
    request_timeout_s=4,
    limits=Limits(max_conversations=16),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("models")
    return {name: write_fake_model(root / name, bias) for name, bias in BIASES.items()}


@pytest.fixture(scope="module")
def server(ray_session: None, folders: dict[str, str]) -> Iterator[Server]:
    running = start(folders, SETTINGS)
    yield running
    running.stop()


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {server.token}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as opened:
        yield opened


def reward(client: httpx.Client, model: str, **fields: Any) -> httpx.Response:
    return client.post("/v1/reward", json={"model": model, **fields})


def logits(response: httpx.Response) -> list[float]:
    assert response.status_code == 200, response.text
    return [entry["logit"] for entry in response.json()["data"]]


def batch_sizes(folder: str) -> list[int]:
    log = Path(folder, "batches.jsonl")
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_every_model_gives_its_own_scores_exactly(client: httpx.Client) -> None:
    image = png()
    for model, bias in BIASES.items():
        response = reward(client, model, prompt=[question("Q", data_url(image))], answers=["A", "a longer B"])
        expected = [
            fake_reward(Conversation(tuple(answered("Q", 1, text)), (image,)), bias) for text in ("A", "a longer B")
        ]
        assert logits(response) == expected
        assert response.json()["model"] == model
        assert response.json()["fingerprint"] == f"fingerprint-of-{model.split('/')[-1]}"


def test_concurrent_requests_share_batches_of_their_own_model(client: httpx.Client, folders: dict[str, str]) -> None:
    models = ["raw_baseline", "iter-00"]
    before = {model: len(batch_sizes(folders[model])) for model in models}

    def ask(number: int) -> float:
        [logit] = logits(reward(client, models[number % 2], conversations=[chat("Q", "A" * number)]))
        return logit

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(ask, range(8)))
    assert told == [
        fake_reward(Conversation(tuple(answered("Q", 0, "A" * number)), ()), BIASES[models[number % 2]])
        for number in range(8)
    ]
    for model in models:
        sizes = batch_sizes(folders[model])[before[model] :]
        assert sum(sizes) == 4
        assert len(sizes) < 4


def test_a_long_request_is_split_into_batches(client: httpx.Client, folders: dict[str, str]) -> None:
    before = len(batch_sizes(folders["iter-01/voter-0"]))
    response = reward(client, "iter-01/voter-0", conversations=[chat("Q", "A" * number) for number in range(16)])
    assert logits(response) == sorted(logits(response))
    assert batch_sizes(folders["iter-01/voter-0"])[before:] == [8, 8]


def test_models_and_health_are_told(client: httpx.Client, server: Server) -> None:
    assert [entry["id"] for entry in client.get("/v1/models").json()["data"]] == list(BIASES)
    assert httpx.get(f"{server.url}/health").json() == {"status": "ok"}


def test_refusals_reach_the_client(client: httpx.Client) -> None:
    def told(response: httpx.Response) -> tuple[int, str]:
        return response.status_code, response.json()["error"]["code"]

    one = {"conversations": [chat("Q", "A")]}
    wrong = {"Authorization": "Bearer wrong"}
    assert told(client.get("/v1/models", headers=wrong)) == (401, "invalid_token")
    assert told(client.post("/v1/reward", json={"model": "iter-00", **one}, headers=wrong)) == (401, "invalid_token")
    assert told(client.post("/v1/reward", content=b"{")) == (400, "invalid_json")
    assert told(reward(client, "iter-00", conversations=[chat("Q", "A", "http://a.b/c.png")])) == (
        400,
        "image_url_refused",
    )
    assert told(reward(client, "iter-00", conversations=[chat("Q", "A")] * 17)) == (413, "too_many_conversations")
    assert told(reward(client, "iter-00", conversations=[chat("Q", "too long")])) == (413, "context_length_exceeded")
    assert told(reward(client, "iter-00", conversations=[chat("Q", "A", data_url(b"?"))])) == (422, "image_undecodable")
    unknown = reward(client, "iter-99", **one)
    assert told(unknown) == (404, "model_not_found")
    assert ", ".join(BIASES) in unknown.json()["error"]["message"]


def test_a_model_that_fails_is_one_error_and_serves_on(client: httpx.Client) -> None:
    response = reward(client, "iter-00", conversations=[chat("Q", "explode")])
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert "explodes" not in response.text
    assert len(logits(reward(client, "iter-00", conversations=[chat("Q", "A")]))) == 1


def test_more_requests_than_the_queue_holds_are_told_to_come_back(
    client: httpx.Client, folders: dict[str, str]
) -> None:
    def ask(_: int) -> httpx.Response:
        return reward(client, "iter-01/voter-1", conversations=[chat("Q", "A")] * 8)

    gate = Path(folders["iter-01/voter-1"], CLOSED)
    gate.touch()
    with ThreadPoolExecutor(24) as pool:
        responses = list(pool.map(ask, range(24)))
    gate.unlink()
    refused = [response for response in responses if response.status_code == 429]
    late = [response for response in responses if response.status_code == 503]
    # 8 being scored and 4 waiting are inside until they are late; then others may come in.
    assert len(late) >= 12
    assert refused
    assert len(late) + len(refused) == 24
    assert all(response.headers["retry-after"] == "1" for response in responses)
    assert {response.json()["error"]["code"] for response in refused} == {"queue_full"}
    assert {response.json()["error"]["code"] for response in late} == {"timeout"}
    assert len(logits(ask(0))) == 8


def test_one_session_holds_one_server(server: Server, folders: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="already runs"):
        start(folders, SETTINGS)


def test_what_cannot_be_served_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no model"):
        start({}, SETTINGS)
    with pytest.raises(StoreError, match=r"checkpoint of iter-00 is missing: .*nowhere"):
        start({"iter-00": str(tmp_path / "nowhere")}, SETTINGS)
