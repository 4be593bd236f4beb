"""HTTP/1.1 to a port of this machine: whole answers, and streams that are read piece by piece or left."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """A whole answer. Header names are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class Exchange:
    """A request that was sent, and its answer as it comes."""

    def __init__(self, port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] = {}) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        sent = dict(headers)
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        self._connection.request(method, path, content, sent)
        self._socket = self._connection.sock
        self._response: http.client.HTTPResponse | None = None

    def head(self) -> http.client.HTTPResponse:
        """Waits for the answer's head."""
        if self._response is None:
            self._response = self._connection.getresponse()
        return self._response

    def answer(self) -> Answer:
        """Waits for all of it. A body that breaks off raises `http.client.IncompleteRead`."""
        head = self.head()
        body = head.read()
        self._connection.close()
        return Answer(head.status, headers_of(head), body)

    def events(self) -> Iterator[str]:
        """The lines of a stream that say something, as they come."""
        for line in self.head():
            if stripped := line.decode(errors="replace").strip():
                yield stripped

    def read_events(self, count: int) -> None:
        """Waits for so many lines."""
        lines = self.events()
        for _ in range(count):
            next(lines)

    def leave(self) -> None:
        """Closes the connection, whatever is under way."""
        if self._response is not None:
            self._response.close()
        self._connection.close()

    def stop_sending(self) -> None:
        """Closes the sending side alone."""
        self._socket.shutdown(socket.SHUT_WR)


def headers_of(head: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in head.getheaders()}


def ask(port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] = {}) -> Answer:
    """One request on a connection of its own."""
    return Exchange(port, method, path, body, headers).answer()


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Seconds until the condition held; `TimeoutError` when it does not hold in time."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began
