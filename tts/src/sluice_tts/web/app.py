"""The application: which path leads where, and that every error has OpenAI's shape."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sluice_tts import __version__
from sluice_tts.errors import ApiError, invalid
from sluice_tts.web.request import SpeechRequest
from sluice_tts.web.service import Service
from sluice_tts.web.speech import Speech
from sluice_tts.web.state import State
from sluice_tts.web.voices import Voices

_CODES = {404: "unknown_path", 405: "method_not_allowed"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": SpeechRequest.model_json_schema()}},
    }
}


def application(service: Service) -> FastAPI:
    """Serves; the worker lives as long as it does."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        service.worker.start()
        yield
        service.worker.stop(timeout=5.0)

    # the documentation pages load scripts from elsewhere: only the description itself is served
    app = FastAPI(title="sluice-tts", version=__version__, lifespan=life, docs_url=None, redoc_url=None)
    _routes(app, service)
    app.add_exception_handler(ApiError, _told)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _unexpected)
    return app


def _routes(app: FastAPI, service: Service) -> None:
    voices, state = Voices(service), State(service)
    speech = Speech(service)

    async def speak(request: Request) -> Response:
        """Text in, sound out."""
        return await speech(request)

    app.add_api_route("/v1/audio/speech", speak, methods=["POST"], response_model=None, openapi_extra=_BODY)
    for method, path, route in (
        ("GET", "/v1/audio/voices", voices.list),
        ("POST", "/v1/audio/voices", voices.add),
        ("DELETE", "/v1/audio/voices/{name}", voices.remove),
        ("GET", "/v1/models", state.models),
        ("GET", "/v1/models/{name}", state.model),
        ("GET", "/health", state.health),
        ("GET", "/metrics", state.metrics),
    ):
        app.add_api_route(path, route, methods=[method], response_model=None)


async def _told(_: Request, error: Exception) -> Response:
    return error.response() if isinstance(error, ApiError) else await _unexpected(_, error)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    own = {404: f"no such path: {request.url.path}", 405: f"{request.method} is not for this path"}
    answer = ApiError(status, _CODES.get(status, "invalid_request"), own.get(status, detail)).response()
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


async def _validation(_: Request, error: Exception) -> Response:
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    return invalid(str(first.get("msg", "the request is wrong"))).response()


async def _unexpected(_: Request, __: Exception) -> Response:
    return ApiError(500, "internal_error", "the service failed; its log has the reason").response()
