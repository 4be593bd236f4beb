"""A simulated provider: vLLM's chat completions and Anthropic's messages, which answers as the test has planned."""

import contextlib
import http.server
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import shapes  # of tests/clients

PATIENCE = 20.0  # seconds: nothing goes on for longer, whatever a test plans


@dataclass(frozen=True)
class Plan:
    """How requests are answered."""

    words: tuple[str, ...] = ("Good ", "evening.")
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)  # of an answer that is not 200
    silent: float = 0.0  # seconds before the first byte
    pause: float = 0.0  # seconds between two events
    cut: int | None = None  # the connection is closed after so many events
    tool: shapes.Tool | None = None  # called, whether it was offered or not


@dataclass
class Seen:
    """One request as it came."""

    path: str
    body: Any
    key: str
    gone: bool = False  # who asked left before the end

    def turns(self) -> list[tuple[str, str]]:
        """Who said what, the instructions left out."""
        return [(turn["role"], _text(turn["content"])) for turn in self.body["messages"] if turn["role"] != "system"]


class Vllm:
    """On a free port of the loopback, from entering to leaving."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.seen: list[Seen] = []
        handler = type("Bound", (_Handler,), {"vllm": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextlib.contextmanager
    def planned(self, **members: Any) -> Iterator[list[Seen]]:
        """Answers so for a while; gives the requests that come meanwhile."""
        self.plan, self.seen = Plan(**members), []
        try:
            yield self.seen
        finally:
            self.plan = Plan()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vllm: Vllm

    def log_message(self, *_: object) -> None:
        """Nothing: the tests look at what was seen."""

    def do_GET(self) -> None:
        self._whole(200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = self.headers.get("x-api-key") or self.headers.get("authorization") or ""
        seen, plan = Seen(self.path, body, key), self.vllm.plan
        self.vllm.seen.append(seen)
        try:
            self._answer(plan, body)
        except ConnectionError:
            seen.gone = True
            self.close_connection = True

    def _answer(self, plan: Plan, body: Any) -> None:
        if plan.status != 200:
            return self._whole(plan.status, shapes.error(plan.status), plan.headers)
        self._wait(plan.silent)
        turn = shapes.Turn(body["model"], [] if plan.tool else list(plan.words), plan.tool)
        anthropic = self.path == "/v1/messages"
        if not body.get("stream"):
            return self._whole(200, shapes.message(turn) if anthropic else shapes.chat(turn))
        return self._stream(shapes.message_events(turn) if anthropic else shapes.chat_events(turn, usage=True), plan)

    def _whole(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        body = shapes.compact(value)
        self.send_response(status)
        for name, text in {**(headers or {}), "content-type": "application/json"}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, parts: Iterator[bytes], plan: Plan) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        end = time.monotonic() + PATIENCE
        for number, part in enumerate(parts):
            if number == plan.cut:
                self.close_connection = True
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self._wait(plan.pause)
            if time.monotonic() > end:
                break
        self.wfile.write(b"0\r\n\r\n")

    def _wait(self, seconds: float) -> None:
        """Waits, but notices at once when the other side goes."""
        readable, _, _ = select.select([self.connection], [], [], min(seconds, PATIENCE))
        if seconds and readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise ConnectionError


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
