"""Who may ask: who has the key, where there is one, and no web page."""

import hmac

from starlette.requests import Request

from sluice_bridge.errors import ApiError


def check(request: Request, key: str | None) -> None:
    """401 without the key; 403 for a page in a browser, which reaches the loopback of whoever looks at it."""
    if "origin" in request.headers:
        raise ApiError(403, "not_allowed", "not for web pages: sluice, in front of this, says which may call")
    if key is None:
        return
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), key.encode()):
        raise ApiError(401, "invalid_api_key", "send the key of the bridge as a bearer token")
