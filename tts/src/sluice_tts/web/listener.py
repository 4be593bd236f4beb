"""One client: what the worker tells reaches it here, and that it has left is heard here."""

import asyncio
import contextlib

from starlette.types import Receive

from sluice_tts.work.job import Event, Left


class Listener:
    """Events from the worker's thread and from the connection, in one queue of the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._watch: asyncio.Task[None] | None = None

    def tell(self, event: Event) -> None:
        """From any thread; never blocks. A loop that is closed has no clients."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    def watch(self, receive: Receive) -> None:
        """From now on the client's leaving is an event. The request's body must have been read."""
        self._watch = asyncio.create_task(self._heard(receive))

    async def next(self) -> Event:
        """The next event."""
        return await self._events.get()

    def close(self) -> None:
        """Stops watching."""
        if self._watch is not None:
            self._watch.cancel()

    async def _heard(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._events.put_nowait(Left())
