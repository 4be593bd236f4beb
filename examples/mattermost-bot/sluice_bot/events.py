"""What is posted where the bot can see it, over any number of websockets one after another.

A connection that ends is made anew, and what was posted meanwhile is fetched: each post comes out once.
"""

import asyncio
import json
import logging
import random
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import aiohttp

from .mattermost import Mattermost, MattermostError, Post

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
HELLO_SECONDS = 15.0
# Posts of one second may arrive out of order, and the clock that said when the bot began shows whole seconds.
OVERLAP_MS = 5_000
# What was posted longer ago than this is not answered after an outage: nobody waits for it any more.
OLDEST_MS = 15 * 60_000
# Ids remembered, so that no post comes out twice.
REMEMBERED = 4096


@dataclass(frozen=True)
class Posted:
    """A post, and whether it is in a channel of the bot and one person."""

    post: Post
    direct: bool


class BrokenError(Exception):
    """The connection is of no use any more."""


class Events:
    """The posts, as an endless iterator."""

    def __init__(self, mattermost: Mattermost, began: int) -> None:
        """`began`: the server's clock at start, in ms; nothing older comes out."""
        self._mattermost = mattermost
        self._began = began
        self._newest = began
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._started = time.monotonic()

    async def __aiter__(self) -> AsyncIterator[Posted]:
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                async with aclosing(self._connection()) as posts:
                    async for posted in posts:
                        wait = FIRST_WAIT_SECONDS
                        yield posted
            except (BrokenError, MattermostError, aiohttp.ClientError, OSError, TimeoutError) as why:
                log.warning("the connection to Mattermost ended: %s; a new one in %.1f s", why or type(why), wait)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    async def _connection(self) -> AsyncGenerator[Posted, None]:
        """One websocket until it ends: first what was missed before it, then what comes."""
        socket = await self._mattermost.socket()
        async with socket:
            await self._mattermost.log_in(socket)
            expected = await asyncio.wait_for(_hello(socket), HELLO_SECONDS)
            log.info("connected to Mattermost")
            for posted in await self._missed():
                yield posted
            async for event in _events(socket):
                if event["seq"] != expected:
                    raise BrokenError(f"event {expected} is missing")
                expected += 1
                one = _posted(event)
                if one and self._is_new(one.post):
                    yield one

    async def _missed(self) -> list[Posted]:
        """What was posted since the newest post that came out, the oldest first."""
        now = self._began + int((time.monotonic() - self._started) * 1000)
        since = max(self._began, self._newest - OVERLAP_MS, now - OLDEST_MS)
        found: list[Posted] = []
        for channel in await self._mattermost.channels():
            if int(channel.get("last_post_at") or 0) >= since:
                posts = await self._mattermost.posts_since(str(channel["id"]), since)
                found += [Posted(post, channel.get("type") == "D") for post in posts if post.created >= since]
        found.sort(key=lambda posted: posted.post.created)
        return [posted for posted in found if self._is_new(posted.post)]

    def _is_new(self, post: Post) -> bool:
        """Whether it comes for the first time; it is remembered."""
        self._newest = max(self._newest, post.created)
        if post.id in self._seen:
            return False
        self._seen[post.id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True


async def _hello(socket: aiohttp.ClientWebSocketResponse) -> int:
    """Waits until the server has taken the token; the number of the next event."""
    async for message in _messages(socket):
        if message.get("event") == "hello":
            return int(message["seq"]) + 1
        if message.get("status") == "FAIL":
            raise BrokenError(f"the token was refused: {message.get('error')}")
    raise BrokenError("it was closed before its hello")


async def _events(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[dict[str, Any]]:
    """The events; replies to what the bot sent are left out."""
    async for message in _messages(socket):
        if "event" in message and "seq" in message:
            yield message
    raise BrokenError(f"closed, code {socket.close_code}")


async def _messages(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[dict[str, Any]]:
    async for frame in socket:
        if frame.type is aiohttp.WSMsgType.TEXT:
            message = json.loads(frame.data)
            if isinstance(message, dict):
                yield message


def _posted(event: dict[str, Any]) -> Posted | None:
    """The post of an event, where it is about one."""
    if event["event"] != "posted":
        return None
    try:
        data = event["data"]
        return Posted(Post.of(json.loads(data["post"])), data.get("channel_type") == "D")
    except (KeyError, TypeError, ValueError) as why:
        log.warning("an event that cannot be read was left out: %r", why)
        return None
