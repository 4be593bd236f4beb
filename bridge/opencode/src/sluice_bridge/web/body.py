"""Bodies: read whole, within a size and a time, and JSON without the traps that parsers differ about."""

import asyncio
import contextlib
import json
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from sluice_bridge.errors import ApiError, gone, invalid

_PATIENCE = 2.0  # seconds for the rest of a body that is too large


async def read_json(request: Request, most: int, timeout: float) -> dict[str, Any]:
    """The body's object; 408, 413, 415 or 400 when there is none."""
    _content_type(request)
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced[:20]) > most:
        await _discard(request.receive)
        raise _too_large(most)
    bounded = Request(request.scope, _counted(request.receive, most))
    try:
        async with asyncio.timeout(timeout):
            body = await bounded.body()
    except TimeoutError:
        raise ApiError(408, "body_timeout", f"the body did not come within {timeout:g} s") from None
    except ClientDisconnect:
        raise gone() from None
    return parse(body)


def parse(body: bytes) -> dict[str, Any]:
    """A JSON object: UTF-8, no member twice, no NaN, no half characters."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair can be written, but not sent
    except UnicodeError:
        raise invalid("the body is not UTF-8, or holds half a character", code="invalid_json") from None
    except RecursionError:
        raise invalid("the body is nested too deeply", code="invalid_json") from None
    except ValueError as error:
        raise invalid(f"the body is not JSON: {error}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise invalid("the body must be a JSON object")
    return value


def _counted(receive: Receive, most: int) -> Receive:
    count = 0

    async def counted() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > most:
            await _discard(receive)
            raise _too_large(most)
        return message

    return counted


async def _discard(receive: Receive) -> None:
    """Takes the rest and throws it away: a client that still sends when the connection closes never sees why."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while (await receive()).get("more_body"):
                pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice in an object")
    return members


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _content_type(request: Request) -> None:
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if media != "application/json" or encoding != "identity":
        raise ApiError(415, "unsupported_media_type", "send application/json, not compressed")


def _too_large(most: int) -> ApiError:
    return ApiError(413, "body_too_large", f"the body may have {most} bytes at most")
