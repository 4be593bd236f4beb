"""The real sluice in front of model servers that do as they are told, and the bot between it and a Mattermost."""

import asyncio
import contextlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sluice_bot import settings
from sluice_bot.bot import Bot
from sluice_bot.events import Events
from sluice_bot.mattermost import Mattermost
from sluice_bot.sluice import Sluice

from .chat_server import TOKEN, ChatServer

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[3]
BINARY = os.environ.get("SLUICE", str(ROOT / "target/debug/sluice"))
START_SECONDS = 30
EDIT_EVERY_SECONDS = 0.2


class Peer:
    """A model server. What it does next stands in its attributes."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.asked: list[tuple[Json, dict[str, str]]] = []
        self.status = 200
        self.error: Json = {"message": "made to fail", "type": "invalid_request_error", "code": "odd"}
        self.words = ["Hello", " there", "."]
        self.pause = 0.0
        self.finish = "stop"
        self.breaks = False
        """The stream ends in the middle, without its end."""
        self.go_on = asyncio.Event()
        """While it is not set a stream stops after its first word."""
        self.go_on.set()
        self.left = asyncio.Event()
        """Set when the other side has gone before the end."""

    async def start(self) -> str:
        app = web.Application()
        app.add_routes([
            web.get("/health", self._health),
            web.post("/v1/chat/completions", self._chat),
            web.post("/v1/audio/speech", self._speech),
        ])  # fmt: skip
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((await request.json(), dict(request.headers)))
        if self.status != 200:
            return web.json_response({"error": self.error}, status=self.status)
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        try:
            for word in self.words:
                await answer.write(self._event({"content": word}, None))
                await self.go_on.wait()
                await asyncio.sleep(self.pause)
            if self.breaks and request.transport:
                request.transport.abort()
                return answer
            await answer.write(self._event({}, self.finish) + b"data: [DONE]\n\n")
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise
        return answer

    async def _speech(self, request: web.Request) -> web.Response:
        self.asked.append((await request.json(), dict(request.headers)))
        if self.status != 200:
            return web.json_response({"error": self.error}, status=self.status)
        return web.Response(body=b"ID3 sound", content_type="audio/mpeg")

    def _event(self, delta: Json, finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        event = {"id": "c", "object": "chat.completion.chunk", "model": self.model, "choices": [choice]}
        return f"data: {json.dumps(event)}\n\n".encode()


class House:
    """Mattermost, sluice, its three peers, and the bot; all are gone when it is left."""

    def __init__(self, *, bot: bool = True, **environ: str) -> None:
        self._with_bot, self._environ = bot, environ

    async def __aenter__(self) -> "House":
        async with contextlib.AsyncExitStack() as stack:
            self.small, self.big, self.tts = (Peer(f"{name}-model") for name in ("small", "big", "tts"))
            addresses = []
            for peer in (self.small, self.big, self.tts):
                addresses.append(await peer.start())
                stack.push_async_callback(peer.stop)
            self.chat = await stack.enter_async_context(ChatServer())
            self.http = await stack.enter_async_context(aiohttp.ClientSession())
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bot-")))
            self.proxy, self.admin = await stack.enter_async_context(_serve(folder, addresses))
            await self.play(False)
            if self._with_bot:
                await stack.enter_async_context(self.bot())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def environ(self) -> dict[str, str]:
        """The bot's settings."""
        return {
            "MATTERMOST_URL": self.chat.url,
            "MATTERMOST_TOKEN": TOKEN,
            "SLUICE_URL": self.proxy,
            "BOT_EDIT_EVERY": f"{EDIT_EVERY_SECONDS * 1000:.0f}ms",
            "BOT_INSTRUCTIONS": "",
            **self._environ,
        }

    @contextlib.asynccontextmanager
    async def bot(self) -> Any:
        """The bot, in this process, connected."""
        chosen = settings.read(self.environ())
        async with aiohttp.ClientSession() as http:
            mattermost = Mattermost(http, chosen.mattermost_url, chosen.mattermost_token)
            me, began = await mattermost.me()
            before = self.chat.connections
            running = Bot(mattermost, Sluice(http, chosen), chosen, me).run(Events(mattermost, began))
            task = asyncio.create_task(running)
            try:
                await self.chat.until(lambda: self.chat.connections > before, "the bot is connected")
                yield task
            finally:
                task.cancel()
                await asyncio.wait([task])

    async def play(self, playing: bool) -> None:
        """Somebody begins or ends to play."""
        body = {"mode": "GAMING" if playing else "NORMAL"}
        async with self.http.put(f"{self.admin}/gates/gaming_pc", json=body) as answer:
            assert answer.status == 200, await answer.text()


@contextlib.asynccontextmanager
async def _serve(folder: Path, addresses: list[str]) -> Any:
    """`sluice serve` on free ports; the URLs of its two listeners."""
    for name, value in (("policy.yaml", _policy(*addresses)), ("sluice.yaml", _settings())):
        (folder / name).write_text(json.dumps(value))  # YAML takes JSON
    process = await asyncio.create_subprocess_exec(
        BINARY,
        "serve",
        "--config",
        str(folder / "sluice.yaml"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    reading: asyncio.Task[None] | None = None
    try:
        urls = await asyncio.wait_for(_urls(process), START_SECONDS)
        reading = asyncio.create_task(_drain(process))
        yield urls["proxy"], urls["admin"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if reading:
            await reading


async def _urls(process: asyncio.subprocess.Process) -> dict[str, str]:
    assert process.stdout
    said = ""
    found: dict[str, str] = {}
    while len(found) < 2:
        line = (await process.stdout.readline()).decode()
        assert line, f"sluice ended:\n{said}"
        said += line
        if match := re.search(r"(proxy|admin) listening on (http://\S+)", line):
            found[match[1]] = match[2]
    return found


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stdout
    while await process.stdout.read(65536):
        pass


def _settings() -> Json:
    return {
        "version": 1,
        "listen": {"proxy": "127.0.0.1:0", "admin": "127.0.0.1:0"},
        "policy": "policy.yaml",
        "shutdown_grace": "1s",
    }


def _policy(small: str, big: str, tts: str) -> Json:
    """The contract's house, with a gate that is pushed."""
    forced = [{"header": {"name": "X-Force-Big", "is": True}}, {"model": ["big"]}, {"tag": ["force_big"]}]
    calm = {"interval": "1h", "timeout": "5s", "unhealthy_after": 1}
    backends: dict[str, Json] = {
        "small": {"gpu": "rtx3070", "peers": [small], "model": "small-model", "context_window": 16384},
        "big": {
            "gpu": "rtx3090",
            "gate": "gaming_pc",
            "peers": [big],
            "model": "big-model",
            "context_window": 32768,
            "fail_soft": ["small"],
        },
        "tts": {"gpu": "rtx3070", "kind": "speech", "peers": [tts], "model": "tts-model"},
    }
    return {
        "version": 1,
        "gpus": {"rtx3070": {"max_in_flight": 8, "exclusive": ["tts"]}, "rtx3090": {"max_in_flight": 1}},
        "gates": {"gaming_pc": {"drain_timeout": "0s"}},
        "backends": {name: {**backend, "health": calm} for name, backend in backends.items()},
        "models": {"auto": {}, "big": {}, "small": {"backend": "small"}, "tts-1": {"backend": "tts"}},
        "prompt": {"tags": {"force_big": r"(?i)#force_big\b"}},
        "rules": [
            {"name": "force-big", "when": {"any": forced}, "route": "big", "override_gate": True},
            {"name": "refactor", "when": {"prompt_matches": [r"(?i)\brefactor\b"]}, "route": "big"},
            {"name": "default", "route": "small"},
        ],
    }
