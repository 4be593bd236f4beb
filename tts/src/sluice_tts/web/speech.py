"""POST /v1/audio/speech."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response

from sluice_tts.errors import ApiError
from sluice_tts.web.body import read_json
from sluice_tts.web.exchange import Exchange
from sluice_tts.web.listener import Listener
from sluice_tts.web.request import SpeechRequest, pieces, speech_request
from sluice_tts.web.service import Service
from sluice_tts.work.job import Job


class Speech:
    """The route."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, request: Request) -> Response:
        """Text in, sound out."""
        try:
            exchange = await self._begun(request)
        except ApiError as error:
            self._service.metrics.requests.labels(str(error.status), "none").inc()
            raise
        return await exchange.answer()

    async def _begun(self, request: Request) -> Exchange:
        """Checked, and in line."""
        service, settings = self._service, self._service.settings
        body = await read_json(request, settings.body_timeout)
        began = time.monotonic()
        asked = speech_request(body, service.models, settings.max_input)
        service.worker.check()  # before the voice: what there is of its own, the engine knows once it is loaded
        listener = Listener()
        job = await asyncio.to_thread(self._job, asked, listener)
        service.worker.submit(job)
        listener.watch(request.receive)
        return Exchange(asked, job, listener, service.worker, service.metrics, began)

    def _job(self, asked: SpeechRequest, listener: Listener) -> Job:
        service = self._service
        parts = pieces(asked, service.settings.piece)
        voice = service.store.find(asked.voice_name, service.engine.built_in)
        return Job(parts, voice, asked.seed, listener.tell)
