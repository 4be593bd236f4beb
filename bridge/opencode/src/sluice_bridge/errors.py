"""A refusal or a failure as clients see it: OpenAI's `{"error":{message,type,param,code}}`, with sluice's codes."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_LONGEST = 1000  # characters: what a provider says may be a whole page


@dataclass
class ApiError(Exception):
    """What a request is answered with instead of a text."""

    status: int
    code: str
    message: str
    param: str | None = None
    retry_after: int | None = None  # seconds

    def body(self) -> dict[str, Any]:
        """The JSON object that says so."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        message = self.message[:_LONGEST]
        return {"error": {"message": message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The whole answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 413:
            headers["Connection"] = "close"
        return JSONResponse(self.body(), self.status, headers)


def invalid(message: str, param: str | None = None, code: str = "invalid_request") -> ApiError:
    """A request that is wrong in itself: sending it again would not help."""
    return ApiError(400, code, message, param)


def upstream(message: str) -> ApiError:
    """OpenCode or the provider behind it has failed."""
    return ApiError(502, "upstream_error", message)


def gone() -> ApiError:
    """For the log and the metrics: there is nobody to tell."""
    return ApiError(499, "client_gone", "the client went away")
