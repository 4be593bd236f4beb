"""The calls of `opencode serve` that a chat needs. Each has a timeout: an unknown path hangs without internet."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from sluice_bridge.errors import ApiError, upstream
from sluice_bridge.opencode.config import AGENT, NO_TOOLS, TITLE
from sluice_bridge.opencode.process import OpenCode
from sluice_bridge.settings import Settings

_USER = "opencode"
_CALL = httpx.Timeout(20.0, connect=5.0)
_STREAM = httpx.Timeout(20.0, connect=5.0, read=None)  # who listens has a timeout of its own
_DENY = [{"permission": "*", "pattern": "*", "action": "deny"}]


class Client:
    """Calls it where it listens at the moment."""

    def __init__(self, opencode: OpenCode, settings: Settings) -> None:
        self._opencode = opencode
        self._model = {"providerID": settings.provider, "modelID": settings.provider_model}
        # no proxy of the environment: this never leaves the machine
        self._http = httpx.AsyncClient(trust_env=False, timeout=_CALL)

    async def close(self) -> None:
        """Closes what is pooled."""
        await self._http.aclose()

    async def healthy(self) -> bool:
        """Whether it answers."""
        with contextlib.suppress(ApiError):
            return bool((await self._call("GET", "/global/health")).json().get("healthy"))
        return False

    async def create(self) -> str:
        """A new session's id."""
        made = await self._call("POST", "/session", {"title": TITLE, "permission": _DENY})
        return str(made.json()["id"])

    async def prompt(self, session: str, text: str, system: str) -> None:
        """Asks; the answer comes on the stream of events."""
        parts = [{"type": "text", "text": text}]
        body = {"model": self._model, "agent": AGENT, "tools": NO_TOOLS, "parts": parts}
        await self._call("POST", f"/session/{session}/prompt_async", body | ({"system": system} if system else {}))

    async def abort(self, session: str) -> None:
        """Ends what runs in a session, at the provider too."""
        await self._call("POST", f"/session/{session}/abort")

    async def delete(self, session: str) -> None:
        """Forgets a session."""
        await self._call("DELETE", f"/session/{session}")

    @contextlib.asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """What happens from now on, in all sessions. It listens when this has been entered."""
        try:
            async with self._http.stream("GET", self._url("/event"), auth=self._auth(), timeout=_STREAM) as answer:
                _good(answer, "/event")
                events = _events(answer)
                await anext(events)  # `server.connected`: nothing is missed after it
                yield events
        except (httpx.HTTPError, StopAsyncIteration) as error:
            raise upstream(f"the connection to opencode broke: {error or type(error).__name__}") from None

    async def _call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        try:
            answer = await self._http.request(method, self._url(path), auth=self._auth(), json=body)
        except httpx.HTTPError as error:
            raise upstream(f"opencode does not answer: {error or type(error).__name__}") from None
        return _good(answer, path)

    def _url(self, path: str) -> str:
        if self._opencode.address is None:
            raise ApiError(503, "no_backend_available", self._opencode.why, retry_after=2)
        return self._opencode.address.url + path

    def _auth(self) -> tuple[str, str] | None:
        address = self._opencode.address
        return (_USER, address.password) if address else None


def _good(answer: httpx.Response, path: str) -> httpx.Response:
    if not answer.is_success:
        said = answer.text if answer.is_closed else ""
        raise upstream(f"opencode answers {path} with {answer.status_code}: {said}")
    return answer


async def _events(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.aiter_lines():
        if line.startswith("data:"):
            value = json.loads(line.removeprefix("data:"))
            if isinstance(value, dict):
                yield value
