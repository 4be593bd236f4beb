"""GET, POST and DELETE /v1/audio/voices."""

import asyncio
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from sluice_tts.errors import ApiError, invalid
from sluice_tts.voices.store import BUILT_IN, Kept
from sluice_tts.web.body import bound, gone, too_slow
from sluice_tts.web.service import Service

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Voices:
    """The routes."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def list(self, _: Request) -> Response:
        """All voices; `voices` beside OpenAI's `data`, for the clients that look there."""
        kept = [_shown(voice) for voice in await asyncio.to_thread(self._service.store.list)]
        if self._service.engine.built_in and all(voice["id"] != BUILT_IN for voice in kept):
            kept.insert(0, _shown(Kept(BUILT_IN, 0, 0)))
        return JSONResponse({"object": "list", "data": kept, "voices": kept})

    async def add(self, request: Request) -> Response:
        """A form with `name` and `file` (or OpenAI's `audio_sample`)."""
        _no_page(request)
        convert, replace = _flag(request, "convert"), _flag(request, "replace")
        name, data = await self._form(request)
        kept = await asyncio.to_thread(self._service.store.add, name, data, convert=convert, replace=replace)
        return JSONResponse(_shown(kept), 201)

    async def remove(self, request: Request) -> Response:
        """Forgets one."""
        _no_page(request)
        name = request.path_params["name"]
        await asyncio.to_thread(self._service.store.remove, name)
        return JSONResponse({"id": name, "object": "audio.voice", "deleted": True})

    async def _form(self, request: Request) -> tuple[str, bytes]:
        media = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if media != "multipart/form-data":
            raise ApiError(415, "unsupported_media_type", "send multipart/form-data with `name` and `file`")
        settings = self._service.settings
        # the form's own lines have 64 KiB beside the file
        bounded = await bound(request, settings.max_upload + (64 << 10))
        try:
            async with asyncio.timeout(settings.body_timeout), bounded.form(max_files=1, max_fields=4) as form:
                name, file = form.get("name"), form.get("file") or form.get("audio_sample")
                if not isinstance(name, str) or not isinstance(file, UploadFile):
                    raise invalid("the form needs `name`, a text, and `file`, the recording", "file")
                return name, await file.read()
        except TimeoutError:
            raise too_slow(settings.body_timeout) from None
        except ClientDisconnect:
            raise gone() from None


def _shown(voice: Kept) -> dict[str, Any]:
    return {"id": voice.name, "name": voice.name, "object": "audio.voice", "created": voice.created}


def _flag(request: Request, name: str) -> bool:
    said = request.query_params.get(name, "false").lower()
    if said not in _FLAGS:
        raise invalid(f"?{name}= is true or false", name)
    return _FLAGS[said]


def _no_page(request: Request) -> None:
    """A web page elsewhere can make a browser send a form: voices are not changed by one."""
    if request.headers.get("sec-fetch-site", "none") != "none" or "origin" in request.headers:
        raise ApiError(403, "not_allowed", "voices are not changed from web pages")
