"""Model servers that misbehave as the client asks for: what a test needs and `sluice demo` does not do.

A request carries its plan in the header `x-plan`, which sluice passes on, so that a case in any language scripts
the peer without a second channel. `GET /seen?case=NAME` answers what the peers received for a case, in order.
"""

import dataclasses
import http.server
import json
import select
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import shapes

Json = dict[str, Any]
# No answer goes on for longer, whatever a plan says: a test that fails must not hold a thread for ever.
LONGEST_SECONDS = 20.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the peer does with the requests of one case."""

    case: str = ""
    # One for each request of the case, in turn; when they are used up, 200. 0: hangs up without an answer.
    statuses: tuple[int, ...] = ()
    # Of an answer that is not 200.
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    # Before the head of a 200.
    silent_seconds: float = 0
    words: int = 5
    # Between two events of a stream.
    pause_seconds: float = 0
    # The connection is closed after so many events of a stream, or in the middle of a plain body.
    cut_after: int | None = None
    # Called where the request offers tools and holds no result yet.
    tool: shapes.Tool | None = None

    @classmethod
    def read(cls, text: str) -> "Plan":
        plan = json.loads(text or "{}")
        if "tool" in plan:
            plan["tool"] = shapes.Tool(**plan["tool"])
        return cls(**{**plan, "statuses": tuple(plan.get("statuses", ()))})


@dataclasses.dataclass
class Seen:
    """One request as a peer received it."""

    case: str
    peer: str
    path: str
    at: float
    body: Json
    # The values of the fields in which a client sends its key.
    keys: list[str]
    # The other side went before the answer was whole.
    gone: bool = False


class Book:
    """What all the peers of a stage received."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[Seen] = []

    def enter(self, seen: Seen) -> int:
        """Notes a request; how many of its case came before it."""
        with self._lock:
            before = sum(other.case == seen.case for other in self._seen)
            self._seen.append(seen)
            return before

    def of(self, case: str) -> list[Seen]:
        with self._lock:
            return [seen for seen in self._seen if seen.case == case]


class Gone(Exception):
    """The other side has closed the connection."""


class Peer:
    """A scripted model server on a free port of the loopback."""

    def __init__(self, model: str, book: Book) -> None:
        self.model, self.book = model, book
        handler = type("Bound", (Handler,), {"peer": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection to a peer."""

    protocol_version = "HTTP/1.1"
    peer: Peer

    def setup(self) -> None:
        super().setup()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_: object) -> None:
        """Says nothing: the cases look at the book."""

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/seen":
            case = urllib.parse.parse_qs(url.query)["case"][0]
            return self._whole(200, [dataclasses.asdict(seen) for seen in self.peer.book.of(case)])
        return self._whole(200 if url.path == "/health" else 404, {})

    def do_POST(self) -> None:
        text = self._body()
        if text is None:
            self.close_connection = True
            return
        body = json.loads(text)
        plan = Plan.read(self.headers.get("x-plan", ""))
        keys = [value for name in ("authorization", "x-api-key") for value in self.headers.get_all(name, [])]
        seen = Seen(plan.case, self.peer.model, self.path, time.monotonic(), body, keys)
        turn = self.peer.book.enter(seen)
        try:
            self._play(plan, turn, body)
        except (Gone, ConnectionError):
            seen.gone = True
            self.close_connection = True

    def _body(self) -> bytes | None:
        """The whole body; None where the other side went before its end."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            return body if len(body) == length else None
        parts = []
        while size := int(self.rfile.readline() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _play(self, plan: Plan, turn: int, body: Json) -> None:
        status = plan.statuses[turn] if turn < len(plan.statuses) else 200
        if status == 0:
            self.close_connection = True
            return None
        if status != 200:
            return self._whole(status, shapes.error(status), plan.headers)
        self._wait(plan.silent_seconds)
        answer = answered(self.peer.model, plan, body)
        if body.get("stream"):
            return self._stream(events(self.path, answer, body), plan)
        return self._whole(200, whole(self.path, answer), cut=plan.cut_after is not None)

    def _whole(self, status: int, value: object, headers: dict[str, str] | None = None, cut: bool = False) -> None:
        body = shapes.compact(value)
        self.send_response(status)
        for name, text in {**(headers or {}), "content-type": "application/json"}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection |= cut

    def _stream(self, parts: Iterator[bytes], plan: Plan) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        end = time.monotonic() + LONGEST_SECONDS
        for number, part in enumerate(parts):
            if number == plan.cut_after or time.monotonic() > end:
                self.close_connection = True
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self._wait(plan.pause_seconds)
        self.wfile.write(b"0\r\n\r\n")

    def _wait(self, seconds: float) -> None:
        """Waits, but notices at once when the other side goes."""
        if seconds <= 0:
            return
        readable, _, _ = select.select([self.connection], [], [], min(seconds, LONGEST_SECONDS))
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise Gone


# --- what is answered --------------------------------------------------------------------------------------


def answered(model: str, plan: Plan, body: Json) -> shapes.Turn:
    """A call of the plan's tool, what a tool said, or as many words as the plan wants."""
    result = tool_result(body)
    if plan.tool and body.get("tools") and result is None:
        return shapes.Turn(model, [], plan.tool)
    if result is not None:
        return shapes.Turn(model, ["the ", "tool ", "said: ", result], None)
    return shapes.Turn(model, [f"{model} "] + [f"word{number} " for number in range(1, plan.words)], None)


def tool_result(body: Json) -> str | None:
    """The text of a tool's result, where one ends the conversation."""
    history = body.get("messages") or body.get("input")
    last = history[-1] if isinstance(history, list) and history else {}
    content = last.get("content")
    if last.get("role") == "tool":
        return text_of(content)
    if last.get("type") == "function_call_output":
        return text_of(last["output"])
    results = [part for part in content if part.get("type") == "tool_result"] if isinstance(content, list) else []
    return text_of(results[0]["content"]) if results else None


def text_of(content: object) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return str(content)


def whole(path: str, turn: shapes.Turn) -> Json:
    shape = {"/v1/messages": shapes.message, "/v1/responses": shapes.response}.get(path, shapes.chat)
    return shape(turn)


def events(path: str, turn: shapes.Turn, body: Json) -> Iterator[bytes]:
    if path == "/v1/messages":
        return shapes.message_events(turn)
    if path == "/v1/responses":
        return shapes.response_events(turn)
    return shapes.chat_events(turn, bool((body.get("stream_options") or {}).get("include_usage")))
