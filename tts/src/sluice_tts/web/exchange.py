"""One request for speech, from when it is in line to its last byte."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sluice_tts.audio.formats import FORMATS, Format
from sluice_tts.errors import ApiError
from sluice_tts.metrics import Metrics
from sluice_tts.web.body import gone
from sluice_tts.web.listener import Listener
from sluice_tts.web.render import Render, deltas, done, event
from sluice_tts.web.request import SpeechRequest
from sluice_tts.work.job import Event, Failed, Finished, Job, Left, Sound
from sluice_tts.work.worker import Worker

log = logging.getLogger("sluice_tts")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an answer is made of."""

    request: SpeechRequest
    job: Job
    listener: Listener
    worker: Worker
    metrics: Metrics
    began: float  # time.monotonic() when its body was there

    @property
    def format(self) -> Format:
        """The one that was asked for."""
        return FORMATS[self.request.response_format]

    async def answer(self) -> Response:
        """The answer, once there is something to hear; until then a failure has a status of its own."""
        try:
            first = await self._next()
            self.metrics.first_audio.observe(time.monotonic() - self.began)
            if len(self.job.pieces) == 1 and self.request.stream_format == "audio":
                return await self._whole(first)
        except BaseException as error:
            self.close(error.status if isinstance(error, ApiError) else 500)
            raise
        return StreamedSound(self, first)

    async def _whole(self, sound: Sound) -> Response:
        render = Render(self.format, self.request.speed)
        body = await asyncio.to_thread(render.whole, sound)
        self.close(200)
        return Response(body, media_type=self.format.content_type)

    async def _next(self) -> Sound:
        """The next piece; ApiError when there will be none."""
        match await self.listener.next():
            case Sound() as sound:
                return sound
            case Failed(error):
                raise error
            case Left():
                self.worker.leave(self.job)
                raise gone()
            case Finished():
                raise ApiError(500, "engine_error", "the model made no sound")

    def close(self, status: int) -> None:
        """It is over, however it went."""
        self.listener.close()
        self.worker.leave(self.job)
        took = time.monotonic() - self.began
        self.metrics.duration.observe(took)
        self.metrics.requests.labels(str(status), self.format.name).inc()
        if status == 499:
            self.metrics.aborts.inc()
        shape = (len(self.request.input), len(self.job.pieces), self.format.name)
        log.info(
            "speech %s in %.2f s: voice %s, %d characters in %d pieces, %s", status, took, self.job.voice.name, *shape
        )


class StreamedSound(Response):
    """The first piece goes out while the next is made. What breaks in the middle looks broken."""

    def __init__(self, exchange: Exchange, first: Sound) -> None:
        self._exchange, self._first = exchange, first
        self._sse = exchange.request.stream_format == "sse"
        self._render = Render(exchange.format, exchange.request.speed)
        self._status = 500
        super().__init__(media_type="text/event-stream" if self._sse else exchange.format.content_type)
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Sends it."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for part in self._parts():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            if self._status == 200 or self._sse:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            # else: an answer that does not end has its connection cut by the server
        finally:
            self._exchange.close(self._status)

    async def _parts(self) -> AsyncIterator[bytes]:
        heard: Event = self._first
        while isinstance(heard, Sound):
            for part in self._shaped(await asyncio.to_thread(self._render.add, heard)):
                yield part
            heard = await self._exchange.listener.next()
        for part in await self._last(heard):
            yield part

    async def _last(self, heard: Event) -> list[bytes]:
        if isinstance(heard, Failed):
            return [event(heard.error.body())] if self._sse else []
        if isinstance(heard, Left):
            self._status = 499
            return []
        self._status = 200
        rest = self._shaped(await asyncio.to_thread(self._render.end))
        ending = done(len(self._exchange.request.input), self._render.seconds)
        return [*rest, ending] if self._sse else rest

    def _shaped(self, sound: bytes) -> list[bytes]:
        if self._sse:
            return list(deltas(sound))
        return [sound] if sound else []
