"""The service on a free port of this process, and a client for it."""

import json
import socket
import threading
import time
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from sluice_tts.engine.base import Engine
from sluice_tts.serve import Server, address, bound
from sluice_tts.settings import load

START = 20.0  # seconds


class Running:
    """Starts on entering, is gone on leaving."""

    def __init__(self, engine: Engine | None, settings: dict[str, Any]) -> None:
        self.server = Server(load(None, host="127.0.0.1", port=0, shutdown_grace=2, **settings), engine)
        self._socket = bound("127.0.0.1", 0)
        self.url = address(self._socket)
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        self._thread = threading.Thread(target=self.server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.server.should_exit = True
        self._thread.join(START)
        self._socket.close()
        assert not self._thread.is_alive(), "the service does not stop"

    def wait(self, state: str) -> httpx.Response:
        """Waits until /health says so."""
        until = time.monotonic() + START
        while (answer := self.client.get("/health")).json()["status"] != state:
            assert time.monotonic() < until, f"not {state}: {answer.text}"
            time.sleep(0.01)
        return answer

    def speak(self, text: str = "Good evening.", **members: Any) -> httpx.Response:
        """A request for speech; members that are None are left out."""
        return self.client.post("/v1/audio/speech", json=body(text, **members))

    def ask(self, text: str = "Good evening.") -> socket.socket:
        """A request whose client can hang up whenever it likes; the answer is not read."""
        where = urlsplit(self.url)
        data = json.dumps(body(text)).encode()
        head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: tts\r\nContent-Length: {len(data)}\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        connection = socket.create_connection((where.hostname, where.port), timeout=START)
        connection.sendall(head.encode() + data)
        return connection

    def wait_waiting(self, number: int) -> None:
        """Waits until so many requests are in line."""
        until = time.monotonic() + START
        while (waiting := self.metric("tts_waiting")) != number:
            assert time.monotonic() < until, f"{waiting} wait, not {number}"
            time.sleep(0.01)

    def upload(self, name: str, data: bytes, **query: str) -> httpx.Response:
        """A new voice."""
        files = {"file": ("reference.wav", data, "audio/wav")}
        return self.client.post("/v1/audio/voices", params=query, data={"name": name}, files=files)

    def metric(self, name: str) -> float:
        """A sample of /metrics, with its labels as they are written there."""
        lines = self.client.get("/metrics").text.splitlines()
        return next((float(line.removeprefix(name)) for line in lines if line.startswith(f"{name} ")), 0.0)


def body(text: str = "Good evening.", **members: Any) -> dict[str, Any]:
    """The JSON of a request."""
    given = {"model": "chatterbox-turbo", "voice": "default", "input": text, **members}
    return {name: value for name, value in given.items() if value is not None}


def error(answer: httpx.Response) -> dict[str, Any]:
    """The error of an answer, which must have OpenAI's shape and nothing else."""
    whole = answer.json()
    assert set(whole) == {"error"}, whole
    assert set(whole["error"]) == {"message", "type", "param", "code"}, whole
    assert isinstance(whole["error"]["message"], str)
    assert whole["error"]["message"]
    found: dict[str, Any] = whole["error"]
    return found
