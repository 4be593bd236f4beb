"""What OpenCode says of a failure, as an answer. Only what is told here reaches a client; nothing is asked again."""

import math
from typing import Any

from sluice_bridge.errors import ApiError, invalid, upstream

_LONGEST_WAIT = 3600  # seconds


def failure(error: Any, context_window: int) -> ApiError:
    """The answer for the `error` of a message or of a session."""
    error = error if isinstance(error, dict) else {}
    name, data = error.get("name"), error.get("data")
    data = data if isinstance(data, dict) else {}
    said = str(data.get("message") or name or "OpenCode does not say why")
    if name == "ContextOverflowError":
        message = f"maximum context length is {context_window} tokens: {said}"
        return invalid(message, "messages", "context_length_exceeded")
    if name == "ProviderAuthError":
        return upstream(f"the provider's API key is refused: {said}")
    if name == "APIError":
        return _by_status(data.get("statusCode"), said, data.get("responseHeaders"))
    return upstream(f"OpenCode failed: {said}")


def retrying(status: dict[str, Any], now: float) -> ApiError:
    """OpenCode would ask the provider again, but later than is waited for; `now` in seconds since 1970."""
    wait = _bounded(_until(status) - now)
    said = status.get("message") or "no reason is given"
    return ApiError(503, "overloaded", f"the provider cannot answer now: {said}", retry_after=wait)


def broken(status: dict[str, Any]) -> ApiError:
    """OpenCode would ask the provider again, and begin anew what the client has the beginning of."""
    return upstream(f"the answer broke off: {status.get('message') or 'no reason is given'}")


def next_try(status: dict[str, Any]) -> float:
    """When OpenCode will ask the provider again, in seconds since 1970."""
    return _until(status)


def _by_status(status: Any, said: str, headers: Any) -> ApiError:
    if status == 429:
        after = headers.get("retry-after", "1") if isinstance(headers, dict) else "1"
        seconds = _bounded(float(after)) if str(after).isdigit() else 1
        return ApiError(429, "rate_limited", f"the provider refuses for now: {said}", retry_after=seconds)
    if status in (401, 403):
        return upstream(f"the provider's API key is refused: {said}")
    if status in (400, 413, 422):
        return invalid(f"the provider refuses the request: {said}")
    return upstream(f"the provider failed: {said}")


def _until(status: dict[str, Any]) -> float:
    following = status.get("next")
    return float(following) / 1000 if isinstance(following, int | float) else 0.0


def _bounded(seconds: float) -> int:
    return min(max(1, math.ceil(seconds)), _LONGEST_WAIT)
