"""A refusal or a failure as clients see it: `{"error":{message,type,param,code}}`, in OpenAI's words."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


@dataclass
class ApiError(Exception):
    """What a request is answered with instead of sound."""

    status: int
    code: str
    message: str
    param: str | None = None
    retry_after: int | None = None  # seconds

    def body(self) -> dict[str, Any]:
        """The JSON object that says so."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The whole answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 413:
            headers["Connection"] = "close"
        return JSONResponse(self.body(), self.status, headers)


def invalid(message: str, param: str | None = None, code: str = "invalid_request") -> ApiError:
    """A request that is wrong in itself: sending it again would not help."""
    return ApiError(400, code, message, param)
