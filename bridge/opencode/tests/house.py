"""The whole path on this machine: client → sluice → bridge → the real opencode → a simulated provider, and back."""

import contextlib
import hashlib
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
from typing import Any, Self

import httpx

from vllm import Vllm

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "tests/clients/node/node_modules/opencode-linux-x64-baseline/bin/opencode"
START = 60.0  # seconds
API_KEY, BRIDGE_KEY = "sk-of-the-provider", "key-of-the-bridge"
LAPTOP, TAYNE = "sk-sluice-laptop", "sk-sluice-tayne"


class Process:
    """A process of its own group; its output is read, and it is gone on leaving."""

    def __init__(self, command: list[str], **environment: str) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
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
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    def wait_for(self, pattern: str) -> str:
        """Waits until a line matches that was not looked at before; its first group."""
        until = time.monotonic() + START
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"{pattern!r} was not printed; it said: {self.output()}")
            if found := re.search(pattern, line):
                return found.group(1)

    def end(self, number: signal.Signals) -> int:
        """Tells it to end, and waits until it has."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        try:
            status = self._process.wait(START)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._reader.join(START)
        return status

    def children(self) -> list[int]:
        """The processes that it has started."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def output(self) -> str:
        """All that it said."""
        return "".join(self._all)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._all.append(line)
                self._lines.put(line)
        self._lines.put(None)


class Bridge:
    """The service as its user starts it, in front of the real program."""

    def __init__(self, folder: Path, asks: str, **settings: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.state = folder / "state"
        self.key_file, api_key = folder / "key", folder / "api-key"
        self.key_file.write_text(f"{BRIDGE_KEY}\n")
        api_key.write_text(f"{API_KEY}\n")
        own = {"program": PROGRAM, "state_dir": self.state, "api_key_file": api_key, "key_file": self.key_file}
        given = {**own, "port": 0, "base_url": f"http://{asks}/v1", "shutdown_grace": 2, **settings}
        environment = {f"BRIDGE_{name.upper()}": str(value) for name, value in given.items()}
        command = [sys.executable, "-m", "sluice_bridge", "serve"]
        self.process = Process(command, PYTHONPATH=str(ROOT / "bridge/opencode/src"), **environment)

    def __enter__(self) -> Self:
        try:
            self.url = self.process.wait_for(r"^listening on (http://\S+)")
            self.opencode = self.process.wait_for(r"opencode listens on (http://\S+)")
            self.client = httpx.Client(
                base_url=self.url, timeout=30, trust_env=False, headers={"authorization": f"Bearer {BRIDGE_KEY}"}
            )
        except BaseException:
            self.process.end(signal.SIGKILL)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.end(signal.SIGTERM)

    def chat(self, *said: str, **members: Any) -> httpx.Response:
        """A plain chat without sluice."""
        return self.client.post("/v1/chat/completions", json={"messages": turns(*said), **members})

    def metric(self, name: str) -> float:
        """A sample of /metrics, with its labels as they are written there."""
        lines = self.client.get("/metrics").text.splitlines()
        return next((float(line.removeprefix(name)) for line in lines if line.startswith(f"{name} ")), 0.0)


class House:
    """All four, and a client for the door."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
        self.vllm = self._stack.enter_context(Vllm())
        own = {"provider": "house", "provider_package": "@ai-sdk/openai-compatible", "provider_model": "claude-test"}
        self.bridge = self._stack.enter_context(Bridge(self._folder / "bridge", self.vllm.address, **own))
        config = files(self._folder, self.vllm.address, self.bridge)
        self.door = self._stack.enter_context(Process([str(sluice()), "serve", "--config", str(config)]))
        self.url = self.door.wait_for(r"proxy listening on (http://\S+)")
        self.admin = self.door.wait_for(r"admin listening on (http://\S+)")
        self.client = self._stack.enter_context(httpx.Client(base_url=self.url, timeout=60, trust_env=False))
        eventually(lambda: self.client.get("/health").status_code == 200, "the door is open")

    def chat(self, *said: str, key: str = LAPTOP, headers: dict[str, str] | None = None, **members: Any) -> Any:
        """An answer; what was said alternates, the user's first."""
        body = {"model": "claude", "messages": turns(*said), **members}
        return self.client.post("/v1/chat/completions", json=body, headers=self._headers(key, headers))

    def stream(self, *said: str, key: str = LAPTOP, **members: Any) -> Any:
        """A streamed answer, as a context manager."""
        body = {"model": "claude", "stream": True, "messages": turns(*said), **members}
        return self.client.stream("POST", "/v1/chat/completions", json=body, headers=self._headers(key))

    def _headers(self, key: str, more: dict[str, str] | None = None) -> dict[str, str]:
        return {"authorization": f"Bearer {key}", **(more or {})}


def turns(*said: str) -> list[dict[str, str]]:
    """Messages: the user and the assistant in turn."""
    return [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(said)]


def files(folder: Path, small: str, bridge: Bridge) -> Path:
    """sluice's two files, as JSON: YAML takes it. `rare` is the same bridge with a budget of one request."""
    settings = {"version": 1, "listen": {"proxy": "127.0.0.1:0", "admin": "127.0.0.1:0"}, "policy": "policy.yaml"}
    manual = {
        **{"kind": "manual", "peers": [bridge.url.removeprefix("http://")], "model": "claude"},
        **{"api_key_file": str(bridge.key_file), "price": {"prompt": 2, "completion": 10}},
    }
    budgets = {
        name: {"requests": requests, "usd": 5, "per": "7d"} for name, requests in (("many", 1000), ("rare", 1))
    }
    clients = {name: {"key_sha256": digest(key)} for name, key in (("laptop", LAPTOP), ("tayne", TAYNE))}
    policy = {
        "version": 1,
        "backends": {
            "small": {"peers": [small], "model": "small", "health": {"interval": "1h", "timeout": "5s"}},
            "claude": {**manual, "budget": budgets["many"]},
            "rare": {**manual, "budget": budgets["rare"]},
        },
        "clients": clients,
        "models": {"auto": {}} | {name: {"backend": name, "clients": ["laptop"]} for name in ("claude", "rare")},
        "rules": [{"name": "default", "route": "small"}],
    }
    bridge.key_file.chmod(0o600)
    (folder / "sluice").mkdir()
    for name, value in (("policy.yaml", policy), ("sluice.yaml", {**settings, "state": str(folder / "sluice")})):
        (folder / name).write_text(json.dumps(value))
    return folder / "sluice.yaml"


def digest(key: str) -> str:
    """As `sluice key new` writes it."""
    return hashlib.sha256(key.encode()).hexdigest()


def sluice() -> Path:
    """The binary: SLUICE_BIN, else what `cargo build` makes."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = Path(os.environ.get("SLUICE_BIN", target / "debug/sluice"))
    assert path.is_file(), f"no sluice at {path}: run `cargo build`, or set SLUICE_BIN"
    return path.resolve()


def eventually(holds: Callable[[], bool], what: str, seconds: float = START) -> None:
    """Waits for something to hold."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)
