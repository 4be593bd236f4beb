"""Simulated model servers and a gaming PC's mode, on free ports. What a request says decides how it is answered."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

SLOW_SECONDS = 2.0
SLOW, FAIL, BREAK = "(slow)", "(fail)", "(break)"
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


class Handler(BaseHTTPRequestHandler):
    """One connection; the state is the server's."""

    protocol_version = "HTTP/1.1"
    server: "Peer"

    def do_GET(self) -> None:
        self._send(200, json.dumps({"mode": self.server.mode}).encode())

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["content-length"])).decode()
        if SLOW in said:
            self.server.stopped.wait(SLOW_SECONDS)
        if FAIL in said:
            self._send(503, b'{"error":{"message":"as was asked for"}}')
        elif json.loads(said).get("stream"):
            self._stream(breaks=BREAK in said)
        else:
            answer = {"choices": [{"message": {"role": "assistant", "content": "yes"}}], "usage": USAGE}
            self._send(200, json.dumps(answer).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, breaks: bool) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self._event({"choices": [{"delta": {"content": "yes"}}]})
        if breaks:
            self.close_connection = True
            return
        self.server.stopped.wait(0.1)
        self._event({"choices": [], "usage": USAGE})
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, event: dict[str, Any]) -> None:
        text = f"data: {json.dumps(event)}\n\n".encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(text), text))
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """The test's output is its own."""


class Peer(ThreadingHTTPServer):
    """A server that runs until it is left; any GET is healthy, and says the mode."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mode = "NORMAL"
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Connections are cut on purpose here."""

    def __enter__(self) -> "Peer":
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()
