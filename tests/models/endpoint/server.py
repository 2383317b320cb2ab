"""A chat server on a port of its own that fails in the ways it is told to, and remembers what it was asked."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Fault = str
"""`ok`, a status such as `429`, `garbage`, `encoding` (not the one it announces), `half` (a body that breaks off),
`silence` or `gone` (no answer at all), `ok late` (after the others)."""
GIVE_UP_S = 30
LATE_S = 0.3


class ChatServer:
    """What the tests see of the server."""

    def __init__(self, fault: Callable[[int], Fault], most_choices: int) -> None:
        self._fault, self._most_choices = fault, most_choices
        self._lock = threading.Lock()
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.inside = self.most_inside = 0
        self.over = threading.Event()
        self.url = ""

    def take(self, body: dict[str, Any], key: str | None) -> Fault:
        """Note a request; returns how to fail it."""
        with self._lock:
            self.bodies.append(body)
            self.keys.append(key)
            return self._fault(len(self.bodies) - 1)

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request as under way."""
        with self._lock:
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        try:
            yield
        finally:
            with self._lock:
                self.inside -= 1

    def reply(self, body: dict[str, Any]) -> dict[str, Any]:
        """A chat completion whose texts name the question and their place."""
        content = body["messages"][-1]["content"]
        asked = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        texts = [f"{asked} {body['seed']} {place}" for place in range(min(body["n"], self._most_choices))]
        choices = [{"message": {"content": text}, "finish_reason": "stop"} for text in texts]
        return {"choices": choices, "usage": {"prompt_tokens": 10, "completion_tokens": 7 * len(texts)}}


@contextlib.contextmanager
def chat_server(fault: Callable[[int], Fault] = lambda _: "ok", most_choices: int = 100) -> Iterator[ChatServer]:
    """A server for the `with` block. `fault` gets the number of the request."""
    told = ChatServer(fault, most_choices)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with told.counted():
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                fault = told.take(body, self.headers["authorization"])
                content = json.dumps(told.reply(body)).encode()
                if fault == "silence":
                    told.over.wait(GIVE_UP_S)
                if fault == "ok late":
                    time.sleep(LATE_S)
            # Whoever reads the answer may send the next request before anything behind it is done.
            self._answer(fault, content)

        def _answer(self, fault: Fault, content: bytes) -> None:
            if fault in ("silence", "gone"):
                return
            if fault == "garbage":
                content = b"<html>certainly!</html>"
            self.send_response(int(fault) if fault.isdecimal() else 200)
            if fault.isdecimal():
                content = b'{"error": {"message": "no, ' + (self.headers["authorization"] or "").encode() + b'"}}'
                self.send_header("Retry-After", "0")
            if fault == "encoding":
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if fault == "half" else content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield told
    finally:
        told.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
