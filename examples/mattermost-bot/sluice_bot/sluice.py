"""sluice's side: a chat that streams, and speech. What goes wrong is a `RefusedError` or a `BrokenError`."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from .settings import Settings
from .sse import Lines

Json = dict[str, Any]

# sluice lets a request wait in its queue for a minute and a model think for five before the first byte; between two
# bytes it cuts after two minutes. These are longer, so that it is sluice who says what was wrong.
CHAT_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=420)
SPEECH_TIMEOUT = aiohttp.ClientTimeout(total=420, sock_connect=10)
LARGEST_SOUND_BYTES = 64 * 1024 * 1024


class RefusedError(Exception):
    """sluice, or the model behind it, said no before the answer began."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after


class UnreachableError(Exception):
    """There was no answer at all."""


class BrokenError(Exception):
    """The answer stopped before its end; `code` is sluice's word for why, or empty."""

    def __init__(self, code: str) -> None:
        super().__init__(code or "the stream ended early")
        self.code = code


@dataclass(frozen=True)
class Route:
    """Who answers, as the head of the answer says."""

    backend: str
    reason: str
    shut: tuple[str, ...]
    """The gates that are not open."""

    @staticmethod
    def of(head: Mapping[str, str]) -> "Route":
        """From the `x-sluice-…` headers."""
        gates = [gate.strip().partition("=") for gate in head.get("x-sluice-gate", "").split(",")]
        shut = tuple(name for name, _, state in gates if name and state != "open")
        return Route(head.get("x-sluice-backend", "?"), head.get("x-sluice-reason", "matched"), shut)


class Chat:
    """An answer that comes in pieces; iterate over it to its end, then see what it was."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.route = Route.of(answer.headers)
        self.model = ""
        self.finish: str | None = None

    async def pieces(self) -> AsyncGenerator[str, None]:
        """The text. Raises `BrokenError` when it stops before its end."""
        lines = Lines()
        try:
            async for piece in self._answer.content.iter_any():
                for data in lines.feed(piece):
                    if data == "[DONE]":
                        return
                    if text := self._text(json.loads(data)):
                        yield text
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as why:
            raise BrokenError("") from why
        raise BrokenError("")

    def _text(self, event: Json) -> str:
        if error := event.get("error"):
            raise BrokenError(str(error.get("code") or "") if isinstance(error, dict) else "")
        self.model = str(event.get("model") or self.model)
        for choice in event.get("choices") or []:
            self.finish = choice.get("finish_reason") or self.finish
            return str((choice.get("delta") or {}).get("content") or "")
        return ""


class Sluice:
    """The proxy, as one of its clients."""

    def __init__(self, http: aiohttp.ClientSession, settings: Settings) -> None:
        self._http, self._settings = http, settings
        self._fields = {"Authorization": f"Bearer {settings.sluice_key}"}

    @asynccontextmanager
    async def chat(self, messages: list[Json], session: str) -> AsyncIterator[Chat]:
        """Asks for an answer. Leaving early ends the request, and sluice frees the card."""
        body = {
            "model": self._settings.model,
            "messages": messages,
            "max_tokens": self._settings.answer_tokens,
            "stream": True,
        }
        async with self._post("/v1/chat/completions", body, session, CHAT_TIMEOUT) as answer:
            yield Chat(answer)

    async def speech(self, text: str, session: str) -> tuple[bytes, str]:
        """The text spoken: sound, and its media type."""
        it = self._settings
        body = {
            "model": it.speech_model,
            "voice": it.speech_voice,
            "input": text,
            "response_format": it.speech_format,
        }
        async with self._post("/v1/audio/speech", body, session, SPEECH_TIMEOUT) as answer:
            sound = bytearray()
            try:
                async for piece in answer.content.iter_any():
                    sound += piece
                    if len(sound) > LARGEST_SOUND_BYTES:
                        raise BrokenError("")
            except (aiohttp.ClientError, OSError, TimeoutError) as why:
                raise BrokenError("") from why
            return bytes(sound), answer.content_type

    async def models(self) -> list[str]:
        """The names that the bot may ask for."""
        url = f"{self._settings.sluice_url}/v1/models"
        async with _answer(self._http.get(url, headers=self._fields, timeout=SPEECH_TIMEOUT)) as answer:
            return [str(model["id"]) for model in (await answer.json())["data"]]

    def _post(self, path: str, body: Json, session: str, timeout: aiohttp.ClientTimeout) -> Any:
        fields = {**self._fields, "x-session-id": session}
        url = self._settings.sluice_url + path
        return _answer(self._http.post(url, json=body, headers=fields, timeout=timeout))


@asynccontextmanager
async def _answer(request: Any) -> AsyncIterator[aiohttp.ClientResponse]:
    """An answer with status 200; everything else is raised."""
    try:
        answer = await request
    except (aiohttp.ClientError, OSError, TimeoutError) as why:
        raise UnreachableError(str(why) or type(why).__name__) from why
    try:
        if answer.status != 200:
            raise await _refused(answer)
        yield answer
    finally:
        answer.close()


async def _refused(answer: aiohttp.ClientResponse) -> RefusedError:
    """What an error's body says: sluice's own, or a backend's that passed through."""
    after = answer.headers.get("Retry-After", "")
    try:
        error = (await answer.json(content_type=None))["error"]
        code, message = str(error.get("code") or error.get("type") or ""), str(error.get("message") or "")
    except (ValueError, KeyError, TypeError, AttributeError, aiohttp.ClientError, OSError, TimeoutError):
        code, message = "", answer.reason or ""
    return RefusedError(answer.status, code, message, int(after) if after.isdigit() else None)
