"""What the service is like: health, models, metrics."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sluice_bridge.errors import ApiError
from sluice_bridge.settings import SettingsError, secret
from sluice_bridge.web.access import check
from sluice_bridge.web.service import Service


class State:
    """The routes that change nothing."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def health(self, _: Request) -> Response:
        """200 when it would ask the provider, else 503 with the reason. Nothing is asked of the provider."""
        if self._service.opencode.address is None:
            return self._ill("opencode_down", self._service.opencode.why)
        try:
            secret(self._service.settings.api_key_file)
        except SettingsError as error:
            return self._ill("no_api_key", str(error))
        if not await self._service.client.healthy():
            return self._ill("opencode_down", "opencode does not answer")
        return JSONResponse({"status": "ready"})

    def _ill(self, status: str, reason: str) -> Response:
        return JSONResponse({"status": status, "reason": reason}, 503, {"Retry-After": "5"})

    async def metrics(self, _: Request) -> Response:
        """Prometheus' text."""
        metrics, opencode = self._service.metrics, self._service.opencode
        metrics.up.set(opencode.address is not None)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def models(self, request: Request) -> Response:
        """The one model."""
        check(request, self._service.key)
        return JSONResponse({"object": "list", "data": [self._model(self._service.settings.model_name)]})

    async def model(self, request: Request) -> Response:
        """By its name or an alias."""
        check(request, self._service.key)
        name, names = request.path_params["name"], self._service.settings.models
        if name not in names:
            raise ApiError(404, "model_not_found", f"no model {name!r}; there are: {', '.join(names)}", "model")
        return JSONResponse(self._model(name))

    def _model(self, name: str) -> dict[str, Any]:
        window = self._service.settings.context_window
        return {"id": name, "object": "model", "created": 0, "owned_by": "sluice-bridge", "max_model_len": window}
