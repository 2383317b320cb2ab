"""A step whose server misbehaves, or that is killed, ends with every row once and pays for every reply once."""

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from dt2it_ray.pipeline.step_files import read_rows
from dt2it_ray.store.files import Folder
from tests.models.endpoint.server import chat_server
from tests.pipeline.endpoint_steps import PART_ROWS, SAMPLES, answer_prompts

FAULTS = ["ok"] * 8 + ["429", "500", "garbage", "encoding", "half", "gone", "silence", "400"]
PROMPTS = 200
ANSWERED = 100
"""Prompts that the server answers before it falls silent."""
WAIT_S = 60


def test_every_row_of_a_misbehaving_server_ends_once_as_a_result_or_refused(tmp_path: Path) -> None:
    draw = random.Random(7)
    faults = draw.choices(FAULTS, k=10 * PROMPTS)
    with chat_server(faults.__getitem__) as server:
        manifest = answer_prompts(
            tmp_path, PROMPTS, server.url, {"accept_unanswered": True}, attempts=2, timeout_s=0.3, max_concurrent=8
        )
    data = manifest.data(Folder(str(tmp_path / "run")))
    refused = [row for file in manifest.dropped for row in data.read_table(file.name).to_pylist()]
    kept = read_rows(Folder(str(tmp_path / "run")), manifest)["prompt_id"].to_pylist()
    ended = Counter([*kept, *(row["key"] for row in refused)])
    assert set(ended.values()) == {1}
    assert len(ended) == PROMPTS
    assert {row["reason"] for row in refused} == {"endpoint_failed", "request_refused"}
    assert all(row["detail"] for row in refused)
    assert manifest.metrics["replies"] == SAMPLES * len(kept)


def test_a_killed_job_asks_again_for_no_reply_that_it_had(tmp_path: Path) -> None:
    awake = threading.Event()
    with chat_server(lambda number: "ok" if number < ANSWERED or awake.is_set() else "silence") as server:
        command = [sys.executable, "-m", "tests.pipeline.endpoint_steps", str(tmp_path), str(PROMPTS), server.url]
        job = subprocess.Popen(command)
        until = time.monotonic() + WAIT_S
        while _cached(tmp_path) < ANSWERED * SAMPLES and time.monotonic() < until:
            time.sleep(0.05)
        job.kill()
        job.wait()
        assert _cached(tmp_path) == ANSWERED * SAMPLES
        awake.set()
        before = len(server.bodies)
        manifest = answer_prompts(tmp_path, PROMPTS, server.url)
        asked_again = server.bodies[before:]
        undisturbed = answer_prompts(tmp_path / "undisturbed", PROMPTS, server.url)
    assert sum(body["n"] for body in asked_again) == (PROMPTS - ANSWERED) * SAMPLES
    assert manifest.files == undisturbed.files
    # The parts that the killed job had finished tell of no hits; of the others, the cache has what was answered.
    finished = ANSWERED // PART_ROWS * PART_ROWS
    assert manifest.metrics["hits"] == (ANSWERED - finished) * SAMPLES
    assert manifest.metrics["replies"] == PROMPTS * SAMPLES


@pytest.mark.ray
def test_an_actor_asks_for_several_slices_at_once_within_one_limit_and_makes_the_same(
    ray_session: None, tmp_path: Path
) -> None:
    with chat_server() as server:
        alone = answer_prompts(tmp_path / "alone", PROMPTS, server.url)
        manifest = answer_prompts(tmp_path / "ray", PROMPTS, server.url, {"engine": "ray"})
    assert manifest.files == alone.files
    assert server.most_inside <= 4
    assert manifest.metrics["replies"] == PROMPTS * SAMPLES


def _cached(folder: Path) -> int:
    return sum(1 for _ in (folder / "run" / "replies").rglob("*.json"))
