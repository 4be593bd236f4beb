"""A simulated vLLM: streams a chat, and writes down when it began and ended to use the card."""

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.types import Receive, Scope, Send

from sluice_tts.serve import address, bound

TOKENS = 12
STEP = 0.01  # seconds a token


class Vllm:
    """On a free port of this process. `tokens` may be changed while it runs."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self.tokens = TOKENS
        self._socket = bound("127.0.0.1", 0)
        self.address = address(self._socket).removeprefix("http://")
        config = uvicorn.Config(self._app, log_config=None, interface="asgi3", lifespan="off", http="h11")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
        )
        if scope["path"] != "/health":
            leaving = asyncio.create_task(_gone(receive))
            await self._generate(json.loads(body), leaving, send)
            leaving.cancel()
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _generate(self, request: dict[str, Any], leaving: "asyncio.Task[None]", send: Send) -> None:
        """The card is used until just before the last bytes go out."""
        began = time.monotonic_ns()
        text = request["messages"][-1]["content"]
        number = 0
        while number < self.tokens:
            number += 1
            await asyncio.wait({leaving}, timeout=STEP)
            if leaving.done():
                break
            await send({"type": "http.response.body", "body": _chunk(f"{text} {number}. "), "more_body": True})
        outcome = "stopped" if leaving.done() else "done"
        entry = {"who": "text", "began": began, "ended": time.monotonic_ns(), "outcome": outcome}
        with self._log.open("a") as log:
            log.write(json.dumps(entry) + "\n")


def _chunk(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    value = {"id": "chat", "object": "chat.completion.chunk", "created": 0, "model": "small", "choices": [choice]}
    return f"data: {json.dumps(value)}\n\n".encode()


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
