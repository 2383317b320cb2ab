"""A finished run, served by the command that the README names: rewards over HTTP are those of its score tables."""

import base64
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.loop.runs import LIMIT_S, rows_of

pytestmark = [pytest.mark.loop, pytest.mark.timeout(2 * LIMIT_S)]
TOKEN = "served-run-token-of-the-tests"
SCORED = {
    "iter-01/voter-0": "iter-01/score-voter-0",
    "iter-01/voter-1": "iter-01/score-voter-1",
    "iter-01/consistency": "iter-01/score-consistency",
}
"""Step that scored the pool, by the name of its model."""


@pytest.fixture(scope="module")
def client(finished: Path) -> Iterator[httpx.Client]:
    command = [str(Path(sys.executable).with_name("dt2it")), "serve", str(finished), "--port", "0"]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "DT2IT_SERVE_TOKEN": TOKEN}
    )
    assert server.stdout is not None
    # A server that never answers is ended, so that reading its output ends too.
    watchdog = threading.Timer(LIMIT_S, server.kill)
    watchdog.start()
    try:
        first = server.stdout.readline()
        assert first.startswith("Serving "), first
        url = next(word for word in first.split() if word.startswith("http")).rstrip(":")
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=120) as asking:
            yield asking
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 0
    finally:
        watchdog.cancel()
        server.kill()
        server.wait()


def test_every_model_of_the_run_is_served_by_name(client: httpx.Client) -> None:
    names = [entry["id"] for entry in client.get("/v1/models").raise_for_status().json()["data"]]
    assert names == sorted(["raw_baseline", "iter-00", "iter-01", *SCORED])


@pytest.mark.parametrize(("model", "step"), list(SCORED.items()))
def test_rewards_equal_the_score_table(client: httpx.Client, finished: Path, model: str, step: str) -> None:
    expected = {row["answer_id"]: row["score"] for row in rows_of(finished, step)}
    prompts = rows_of(finished, "open/rows")[:40]
    for row in prompts:
        urls = [f"data:image/png;base64,{base64.b64encode(image['bytes']).decode()}" for image in row["images"]]
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        content = [*parts, {"type": "text", "text": row["question"]}]
        body = {
            "model": model,
            "prompt": [{"role": "user", "content": content}],
            "answers": [answer["text"] for answer in row["answers"]],
        }
        told = client.post("/v1/reward", json=body).raise_for_status().json()
        assert [entry["logit"] for entry in told["data"]] == [
            expected[answer["answer_id"]] for answer in row["answers"]
        ]
    assert len({expected[answer["answer_id"]] for row in prompts for answer in row["answers"]}) > 40
