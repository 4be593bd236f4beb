"""The bot: hears every post, picks those that are meant for it, and has them answered, a thread at a time."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from . import ask, history
from .answer import Answerer
from .events import Events, Posted
from .mattermost import Mattermost, MattermostError, Post, User
from .settings import Settings
from .sluice import Sluice

log = logging.getLogger(__name__)

# Questions that are answered or wait for it. One more is told so.
MOST_WAITING = 100
TOO_MANY = "Too many questions wait already; ask again later."


class Bot:
    """Runs until it is cancelled."""

    def __init__(self, mattermost: Mattermost, sluice: Sluice, settings: Settings, me: User) -> None:
        self._mattermost, self._me = mattermost, me
        self._answerer = Answerer(mattermost, sluice, settings, me)
        self._slots = asyncio.Semaphore(settings.answers)
        self._threads = Threads()
        self._waiting = 0

    async def run(self, events: Events) -> None:
        """Answers what comes; when it is cancelled, each answer that is being written is told to be cut off."""
        async with asyncio.TaskGroup() as tasks:
            async for posted in events:
                if self._may_be_meant(posted):
                    tasks.create_task(self._take(posted.post))

    def _may_be_meant(self, posted: Posted) -> bool:
        """What the post alone tells; who wrote it is looked up later, beside the events."""
        post = posted.post
        if post.user == self._me.id or post.deleted:
            return False
        return posted.direct or ask.is_mentioned(post.message, self._me.name)

    async def _take(self, post: Post) -> None:
        """One post, whatever comes of it."""
        self._waiting += 1
        try:
            if history.is_bot(post, await self._mattermost.user(post.user)):
                return
            if self._waiting > MOST_WAITING:
                await self._mattermost.write(post, TOO_MANY, history.NOTICE)
                return
            async with self._threads.alone(post.root), self._slots:
                await self._answerer.answer(post)
        except MattermostError as why:
            log.warning("%s could not be answered: %s", post.id, why)
        except Exception:
            log.exception("%s could not be answered", post.id)
        finally:
            self._waiting -= 1


class Threads:
    """A lock for each thread that is in use: a question sees the answer to the one before it."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def alone(self, root: str) -> AsyncIterator[None]:
        """Waits until nobody else is in this thread, in the order of coming."""
        lock, users = self._locks.get(root, (asyncio.Lock(), 0))
        self._locks[root] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(root)
            if users > 1:
                self._locks[root] = (lock, users - 1)
