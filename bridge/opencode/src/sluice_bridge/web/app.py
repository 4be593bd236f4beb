"""The application: which path leads where, and that every error has OpenAI's shape."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sluice_bridge import __version__
from sluice_bridge.errors import ApiError
from sluice_bridge.web.chat import Chat
from sluice_bridge.web.service import Service
from sluice_bridge.web.state import State

_CODES = {404: "unknown_path", 405: "method_not_allowed"}


def application(service: Service) -> FastAPI:
    """Serves; opencode lives as long as it does."""

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for work in (service.opencode.run(), service.talks.sweep())]
        yield
        await service.talks.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await service.client.close()

    # the documentation pages load scripts from elsewhere: only the description itself is served
    app = FastAPI(title="sluice-bridge", version=__version__, lifespan=life, docs_url=None, redoc_url=None)
    _routes(app, service)
    app.add_exception_handler(ApiError, _told)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    return app


def _routes(app: FastAPI, service: Service) -> None:
    state = State(service)

    async def chat(request: Request) -> Response:
        """A conversation in, its next message out."""
        return Chat(service, request)

    for method, path, route in (
        ("POST", "/v1/chat/completions", chat),
        ("GET", "/v1/models", state.models),
        ("GET", "/v1/models/{name}", state.model),
        ("GET", "/health", state.health),
        ("GET", "/metrics", state.metrics),
    ):
        app.add_api_route(path, route, methods=[method], response_model=None)


async def _told(request: Request, error: Exception) -> Response:
    return error.response() if isinstance(error, ApiError) else await _unexpected(request, error)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    own = {404: f"no such path: {request.url.path}", 405: f"{request.method} is not for this path"}
    answer = ApiError(status, _CODES.get(status, "invalid_request"), own.get(status, detail)).response()
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


async def _unexpected(_: Request, __: Exception) -> Response:
    return ApiError(500, "internal_error", "the service failed; its log has the reason").response()
