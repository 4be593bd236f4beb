"""POST /v1/chat/completions: one request, from its body to its last byte."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from sluice_bridge.chat.request import Asked, read
from sluice_bridge.chat.shapes import Shapes, event
from sluice_bridge.errors import ApiError, gone
from sluice_bridge.talk import Talk
from sluice_bridge.web.access import check
from sluice_bridge.web.body import read_json
from sluice_bridge.web.service import Service

log = logging.getLogger("sluice_bridge")

_NAMES = ("x-session-id", "x-session-affinity")  # as sluice looks for them
_LONGEST_NAME = 256


class Chat(Response):
    """Answers, once it is called: only then the client's leaving can be heard while the answer is made."""

    def __init__(self, service: Service, request: Request) -> None:
        super().__init__()
        self._service, self._request = service, request
        self._status = 500

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the answer, or why there is none."""
        began = time.monotonic()
        try:
            asked = await self._asked()
            await _while_there(receive, self._answer(asked, scope, receive, send))
        except ApiError as error:
            self._status = error.status
            if error.status != 499:
                await error.response()(scope, receive, send)
        finally:
            self._note(time.monotonic() - began)

    async def _asked(self) -> Asked:
        settings = self._service.settings
        check(self._request, self._service.key)
        body = await read_json(self._request, settings.max_body, settings.body_timeout)
        return read(body, settings.models)

    async def _answer(self, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
        """Until the first piece of the text a failure has a status of its own: it is raised."""
        name = conversation(self._request)
        shapes = Shapes(f"chatcmpl-{secrets.token_hex(12)}", asked.model, int(time.time()))
        async with self._service.talks.talk(asked, name) as talk, contextlib.aclosing(talk.pieces(name)) as pieces:
            if asked.stream:
                first = await anext(pieces, "")
                await self._stream(shapes, talk, first, pieces, send)
                return
            async for _ in pieces:
                pass
        if talk.usage is not None:
            self._status = 200
            whole = shapes.whole("".join(talk.told), talk.finish, talk.usage)
            await JSONResponse(whole)(scope, receive, send)

    async def _stream(self, shapes: Shapes, talk: Talk, first: str, rest: AsyncIterator[str], send: Send) -> None:
        async def body(part: bytes, *, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": part, "more_body": more})

        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await body(shapes.begin() + (shapes.piece(first) if first else b""))
        try:
            async for text in rest:
                await body(shapes.piece(text))
        except ApiError as error:
            # what breaks in the middle looks broken: an error, and no [DONE]
            self._status = error.status
            await body(event(error.body()), more=False)
            return
        self._status = 200
        if talk.usage is not None:
            await body(shapes.end(talk.finish, talk.usage, asked=talk.asked.include_usage), more=False)

    def _note(self, took: float) -> None:
        metrics = self._service.metrics
        metrics.requests.labels(str(self._status)).inc()
        metrics.duration.observe(took)
        if self._status == 499:
            metrics.aborts.inc()
        log.info("chat %s in %.2f s", self._status, took)


def conversation(request: Request) -> str:
    """The client's own name of the conversation, or nothing."""
    return next((request.headers[name][:_LONGEST_NAME] for name in _NAMES if name in request.headers), "")


async def _while_there(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Does it for as long as the client is there; 499 when it leaves before. The body must have been read."""
    doing, leaving = asyncio.create_task(work), asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            await doing
            return
        raise gone()
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
