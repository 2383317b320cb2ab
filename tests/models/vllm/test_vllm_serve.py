"""An exported Qwen2.5-VL answers `/classify` of `vllm serve` with our rewards, images included."""

import base64
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.models.random_families import write_family

pytest.importorskip("vllm.sampling_params")
from tests.models.vllm.mixed_rows import mixed_prompts
from tests.models.vllm.test_vllm_rewards import TOLERANCE, batch_rewards, farthest, reward_model

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
SERVER = ("-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1")
"""What `vllm serve` runs; that verb itself looks for a package of the name vllm, and the CPU build has another."""
SMALL = ("--dtype", "float32", "--enforce-eager", "--max-model-len", "1024")
"""What a small machine without a GPU asks for; the folder says all else."""


@contextmanager
def vllm_serve(folder: str, log: Path) -> Iterator[str]:
    """The address of `vllm serve FOLDER` while the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, *SERVER, "--model", folder, *SMALL, "--port", str(port)]
    with log.open("w") as stream:
        server = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
        try:
            while not _is_up(f"http://127.0.0.1:{port}"):
                assert server.poll() is None, log.read_text()[-4000:]
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def messages(row: Mapping[str, Any], answer: str) -> list[dict[str, Any]]:
    urls = [f"data:image/png;base64,{base64.b64encode(image['bytes']).decode()}" for image in row["images"]]
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    asked = {"role": "user", "content": [*shown, {"type": "text", "text": row["question"]}]}
    return [asked, {"role": "assistant", "content": answer}]


def test_vllm_serve_tells_the_rewards_of_an_exported_qwen2_5_vl(tmp_path: Path) -> None:
    # One head of 32 numbers: vLLM's attention on CPUs has no smaller ones.
    folder = reward_model(write_family(tmp_path / "base", "qwen2_5_vl", heads=1), tmp_path)
    rows = mixed_prompts()[:9]
    rewards, told = batch_rewards(folder, rows), {}
    with vllm_serve(str(tmp_path / "for-vllm"), tmp_path / "log") as url:
        for row in rows:
            for answer in row["answers"]:
                body = {"messages": messages(row, answer["text"])}
                (entry,) = httpx.post(f"{url}/classify", json=body, timeout=60).raise_for_status().json()["data"]
                told[answer["answer_id"]] = entry["probs"][0]
    print(f"\nLargest difference: {farthest(rewards, told)}")
    assert max(rewards.values()) - min(rewards.values()) > 0.1
    assert farthest(rewards, told) < TOLERANCE
