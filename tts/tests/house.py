"""The whole house on this machine: sluice, a simulated vLLM and this service, one card between them."""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx

from vllm import Vllm

ROOT = Path(__file__).resolve().parents[2]
START = 30.0  # seconds
PACE = 0.004  # seconds of work for a second of sound

SETTINGS = """version: 1
listen: { proxy: 127.0.0.1:0, admin: 127.0.0.1:0 }
policy: policy.yaml
"""
POLICY = """version: 1
gpus:
  card: { max_in_flight: 8, max_queue: 256, exclusive: [%(exclusive)s], exclusive_wait: 10s }
backends:
  small:
    { gpu: card, peers: ["%(text)s"], model: small, health: { interval: 500ms, timeout: 10s } }
  tts:
    gpu: card
    kind: speech
    peers: ["%(speech)s"]
    model: chatterbox-turbo
    health: { interval: 500ms, timeout: 10s }
models: { small: { backend: small }, tts-1: { backend: tts } }
rules: [ { name: default, route: small } ]
"""


class Work(NamedTuple):
    """A time in which the card was used."""

    began: int  # nanoseconds
    ended: int
    who: str  # "text" or "speech"
    outcome: str  # "done", or "stopped" when the client had left


class Process:
    """A process of its own group; its output is read, and it is gone on leaving."""

    def __init__(self, command: list[str], **environment: str) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self._all: list[str] = []
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def url(self, before: str) -> str:
        """The address that it prints after these words."""
        return self.wait_for(rf"{before} (http://\S+)", START).group(1)

    def wait_for(self, pattern: str, seconds: float = 300.0) -> "re.Match[str]":
        """Waits until a line matches."""
        until = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{pattern!r} was not printed; it said: {''.join(self._all)}") from None
            if found := re.search(pattern, line):
                return found

    def end(self, number: signal.Signals) -> int:
        """Tells it to end, and waits until it has."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
        try:
            status = self._process.wait(START)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._reader.join(START)
        return status

    def output(self) -> str:
        """All that it said."""
        return "".join(self._all)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._all.append(line)
                self._lines.put(line)


class House:
    """All three, and clients for the door."""

    def __init__(self, folder: Path, *, exclusive: bool = True) -> None:
        self._folder, self._exclusive = folder, exclusive
        self._log = folder / "card.log"
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        self.vllm = self._stack.enter_context(Vllm(self._log))
        self.speech = self._stack.enter_context(speech(self._folder, self._log))
        speaks = self.speech.url("listening on")
        wait_for(f"{speaks}/health", 200)
        where = {
            "exclusive": "tts" if self._exclusive else "",
            "text": self.vllm.address,
            "speech": speaks.removeprefix("http://"),
        }
        (self._folder / "sluice.yaml").write_text(SETTINGS)
        (self._folder / "policy.yaml").write_text(POLICY % where)
        command = [str(sluice()), "serve", "--config", str(self._folder / "sluice.yaml")]
        self.door = self._stack.enter_context(Process(command))
        self.url = self.door.url("proxy listening on")
        self.admin = self.door.url("admin listening on")
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=0)
        self.client = self._stack.enter_context(
            httpx.Client(base_url=self.url, timeout=60, trust_env=False, limits=limits)
        )
        wait_for(f"{self.url}/health", 200)

    def chat(self, text: str = "hello") -> Any:
        """A streamed chat, as a context manager."""
        message = {"role": "user", "content": text}
        return self.client.stream(
            "POST", "/v1/chat/completions", json={"model": "small", "stream": True, "messages": [message]}
        )

    def speak(self, text: str = "Good evening.", **members: Any) -> Any:
        """A request for speech, as a context manager."""
        body = {"model": "tts-1", "voice": "default", "input": text, "response_format": "pcm", **members}
        return self.client.stream("POST", "/v1/audio/speech", json=body)

    def wait_queued(self, number: int) -> None:
        """Waits until so many requests wait for the card."""
        self._wait(lambda status: bool(status["gpus"]["card"]["queued"] == number))

    def wait_unavailable(self, backend: str) -> None:
        """Waits until sluice has seen that a backend is gone."""
        self._wait(lambda status: not status["backends"][backend]["available"])

    def _wait(self, seen: Callable[[Any], bool]) -> None:
        until = time.monotonic() + START
        while not seen(status := httpx.get(f"{self.admin}/status", trust_env=False).json()):
            assert time.monotonic() < until, status
            time.sleep(0.01)

    def work(self) -> list[Work]:
        """What the card was used for until now, in the order in which it began."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return sorted(Work(**json.loads(line)) for line in lines)


def speech(folder: Path, log: Path) -> Process:
    """This service with the stand-in, as its user starts it."""
    return Process(
        [sys.executable, "-m", "sluice_tts", "serve"],
        PYTHONPATH=str(ROOT / "tts/src"),
        TTS_ENGINE="standin",
        TTS_PORT="0",
        TTS_STATE_DIR=str(folder / "state"),
        TTS_STANDIN_PACE=str(PACE),
        TTS_STANDIN_LOG=str(log),
        TTS_MAX_QUEUE="64",
        TTS_SHUTDOWN_GRACE="2",
    )


def sluice() -> Path:
    """The binary: SLUICE_BIN, else what `cargo build` makes."""
    named = os.environ.get("SLUICE_BIN")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = Path(named) if named else target / "debug/sluice"
    assert path.is_file(), f"no sluice at {path}: run `cargo build`, or set SLUICE_BIN"
    return path.resolve()


def wait_for(url: str, status: int) -> None:
    """Waits until an address answers so."""
    until, seen = time.monotonic() + START, "nothing"
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(url, trust_env=False)
            if answer.status_code == status:
                return
            seen = f"{answer.status_code} {answer.text}"
        time.sleep(0.02)
    raise AssertionError(f"{url} does not answer {status} but {seen}")
