"""One answer, from the session that it is given in to its end; and the sessions between two answers."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any

from sluice_bridge.chat.conversations import Conversations, Session
from sluice_bridge.chat.failures import broken, next_try, retrying
from sluice_bridge.chat.request import Asked, Said
from sluice_bridge.chat.transcript import written
from sluice_bridge.chat.turn import Ended, Failed, Piece, Retry, Step, Turn
from sluice_bridge.chat.usage import Usage
from sluice_bridge.errors import ApiError, upstream
from sluice_bridge.metrics import Metrics
from sluice_bridge.opencode.client import Client
from sluice_bridge.settings import Settings

log = logging.getLogger("sluice_bridge")


@dataclass
class Talks:
    """Answers requests, so many at one time."""

    settings: Settings
    client: Client
    metrics: Metrics
    _running: int = 0
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._kept = Conversations(self.settings.max_sessions, self.settings.session_idle)

    @contextlib.asynccontextmanager
    async def talk(self, asked: Asked, name: str) -> AsyncIterator["Talk"]:
        """An answer. It is aborted, and its session forgotten, unless it was heard to its end."""
        if self._running >= self.settings.max_running:
            raise ApiError(429, "queue_full", f"{self._running} requests are being answered already", retry_after=1)
        self._running += 1
        self.metrics.running.set(self._running)
        talk = Talk(self, asked)
        try:
            yield talk
        finally:
            self._running -= 1
            self.metrics.running.set(self._running)
            self._after(talk, name)

    async def sweep(self) -> None:
        """Forgets sessions that nobody came back to, for as long as it runs."""
        while True:
            await asyncio.sleep(min(60.0, self.settings.session_idle))
            self._forget(self._kept.expired(time.monotonic()))

    async def close(self) -> None:
        """Ends and forgets everything."""
        self._forget(self._kept.clear())
        await asyncio.gather(*self._tasks)

    def take(self, name: str, history: tuple[Said, ...]) -> Session | None:
        """The session that this conversation has, if it has one."""
        session = self._kept.take(name, history)
        self.metrics.sessions.set(len(self._kept))
        return session

    async def create(self) -> Session:
        """A new session. Who leaves while it is made leaves none behind."""
        making = asyncio.ensure_future(self.client.create())
        try:
            return Session(await asyncio.shield(making))
        except asyncio.CancelledError:
            self._later(self._forsake(making))
            raise

    def lost(self) -> None:
        """OpenCode was started anew: it knows no session any more."""
        self._kept.clear()
        self.metrics.sessions.set(0)

    def _after(self, talk: "Talk", name: str) -> None:
        if talk.session is None:
            return
        if talk.usage is None:
            self._later(self._drop(talk.session.id))
            return
        self.metrics.spent(talk.usage)
        turns = (*talk.asked.history, Said("user", talk.asked.text), Said("assistant", "".join(talk.told)))
        self._forget(self._kept.keep(name, turns, talk.session, time.monotonic()))

    async def abort(self, session: str) -> None:
        """Ends what runs in a session, as far as opencode can be reached."""
        await _logged(self.client.abort(session))

    async def _forsake(self, making: "asyncio.Future[str]") -> None:
        await self.client.delete(await making)

    async def _drop(self, session: str) -> None:
        await self.client.abort(session)
        await self.client.delete(session)

    def _forget(self, sessions: list[str]) -> None:
        self.metrics.sessions.set(len(self._kept))
        for session in sessions:
            self._later(self.client.delete(session))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Does it whatever becomes of the request: who has left does not wait for it."""
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except ApiError as error:
        log.warning("a session could not be ended: %s", error.message)


class Talk:
    """One answer."""

    def __init__(self, talks: Talks, asked: Asked) -> None:
        self._talks, self.asked = talks, asked
        self.session: Session | None = None
        self.told: list[str] = []
        self.finish = ""
        self.usage: Usage | None = None  # it was heard to its end

    async def pieces(self, name: str) -> AsyncGenerator[str, None]:
        """The text as it comes; ApiError where there is none, or no more."""
        settings = self._talks.settings
        async with self._talks.client.events() as events:
            turn = Turn(await self._ask(name), settings.context_window)
            deadline = time.time() + settings.retry_patience
            async with contextlib.aclosing(_steps(turn, events, settings)) as steps:
                async for step in steps:
                    match step:
                        case Piece(text):
                            self.told.append(text)
                            yield text
                        case Retry(status) if self.told or next_try(status) > deadline:
                            raise await self._ended(broken(status) if self.told else retrying(status, time.time()))
                        case Failed(error):
                            raise await self._ended(error)
                        case Ended(finish, usage, session):
                            self.finish, self.usage, self.session = finish, usage, session
                            return

    async def _ended(self, error: ApiError) -> ApiError:
        """The error, once opencode was told to stop: it would ask the provider again by itself."""
        if self.session:
            await self._talks.abort(self.session.id)
        return error

    async def _ask(self, name: str) -> Session:
        asked = self.asked
        self.session = self._talks.take(name, asked.history)
        text = asked.text
        if self.session is None:
            self.session = await self._talks.create()
            text = written(asked.history, asked.text)
        else:
            self._talks.metrics.reused.inc()
        await self._talks.client.prompt(self.session.id, text, asked.system)
        return self.session


async def _steps(turn: Turn, events: AsyncIterator[dict[str, Any]], settings: Settings) -> AsyncGenerator[Step, None]:
    """What the events tell, within the time of the whole and the time of a silence."""
    end = time.monotonic() + settings.answer_timeout
    silent = time.monotonic() + settings.silence_timeout
    while True:
        try:
            async with asyncio.timeout(min(end, silent) - time.monotonic()):
                event = await anext(events)
        except TimeoutError:
            raise ApiError(504, "upstream_timeout", _too_long(settings, end)) from None
        except StopAsyncIteration:
            raise upstream("opencode ended in the middle of the answer") from None
        if event.get("properties", {}).get("sessionID") == turn.session.id:
            silent = time.monotonic() + settings.silence_timeout
        if (step := turn.on(event)) is not None:
            yield step


def _too_long(settings: Settings, end: float) -> str:
    if time.monotonic() >= end:
        return f"the answer was not whole after {settings.answer_timeout:g} s"
    return f"nothing was heard for {settings.silence_timeout:g} s"
