"""GET /health, /metrics, /v1/models and /v1/models/{id}."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sluice_tts.errors import ApiError
from sluice_tts.web.service import Service


class State:
    """The routes."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, _: Request) -> Response:
        """200 when a request would be spoken, else 503 with the reason."""
        condition = self._service.worker.condition()
        told = {"status": condition.state, "reason": condition.reason, "engine": self._service.engine.name}
        return JSONResponse(told, 200 if condition.ready else 503)

    async def metrics(self, _: Request) -> Response:
        """For Prometheus."""
        return Response(self._service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def models(self, _: Request) -> Response:
        """The one model."""
        return JSONResponse({"object": "list", "data": [self._model(self._service.settings.model_name)]})

    async def model(self, request: Request) -> Response:
        """By its name or an alias."""
        name = request.path_params["name"]
        if name not in self._service.models:
            message = f"no model {name!r}; there are: {', '.join(self._service.models)}"
            raise ApiError(404, "model_not_found", message, "model")
        return JSONResponse(self._model(name))

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": 0, "owned_by": "sluice-tts"}
