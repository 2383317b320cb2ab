"""A folder goes to a hub as one commit; what the hub says against it is one error."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dt2it_ray.errors import ConfigError, StoreError
from dt2it_ray.models.hub import push_folder


class Hub(ThreadingHTTPServer):
    """As much of the hub's protocol as a small folder needs; keeps what was committed."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.refuses = 0
        self.made: list[dict[str, Any]] = []
        self.commits: list[dict[str, bytes]] = []
        self.messages: list[str] = []
        self.tokens: set[str] = set()


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.tokens.add(self.headers.get("Authorization") or "")
        if self.server.refuses:
            self._answer({"error": "no place left"}, self.server.refuses)
        elif self.path == "/api/repos/create":
            self.server.made.append(json.loads(body))
            self._answer({"url": f"http://127.0.0.1:{self.server.server_port}/owner/name"})
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            files = [{"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in asked]
            self._answer({"files": files})
        elif "/commit/" in self.path:
            lines = [json.loads(line) for line in body.splitlines()]
            files = [line["value"] for line in lines if line["key"] == "file"]
            self.server.commits.append({each["path"]: base64.b64decode(each["content"]) for each in files})
            self.server.messages += [line["value"]["summary"] for line in lines if line["key"] == "header"]
            self._answer({"success": True, "commitOid": "0" * 40, "commitUrl": f"{self.path}/{'0' * 40}"})
        else:
            self._answer({}, 404)

    def do_GET(self) -> None:
        self._answer({"id": "owner/name", "siblings": [], "sha": "0" * 40, "private": True})

    def _answer(self, tree: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(tree).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is for the tests."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    # Which the library has read when it was imported, perhaps by another test.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(bytes(range(256)))
    return str(tmp_path)


@pytest.mark.parametrize("private", [True, False])
def test_all_files_arrive_in_one_commit_of_a_repository_made_for_them(hub: Hub, folder: str, private: bool) -> None:
    url = push_folder(folder, "owner/name", private, "iter-02")
    assert hub.commits == [{"config.json": b"{}", "model.safetensors": bytes(range(256))}]
    assert [
        (made["organization"], made["name"], made.get("visibility") or made.get("private")) for made in hub.made
    ] == [("owner", "name", "private" if private else "public")]
    assert hub.messages == ["iter-02"]
    assert hub.tokens == {"Bearer hf_secret"}
    assert url.endswith("/owner/name")


def test_a_hub_that_refuses_is_one_error_that_keeps_the_token(hub: Hub, folder: str) -> None:
    hub.refuses = 403
    with pytest.raises(StoreError, match=r"refuses owner/name: .*403.* is complete") as caught:
        push_folder(folder, "owner/name", True, "iter-02")
    assert "hf_secret" not in str(caught.value)


def test_a_hub_that_is_not_there_is_one_error(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(StoreError, match=r"http://127.0.0.1:9 cannot be used: .* is complete"):
        push_folder(folder, "owner/name", True, "iter-02")


@pytest.mark.parametrize("name", ["name", "a/b/c", "owner/na me", ""])
def test_a_repository_has_an_owner_and_a_name(folder: str, name: str) -> None:
    with pytest.raises(ConfigError, match="OWNER/NAME"):
        push_folder(folder, name, True, "iter-02")
