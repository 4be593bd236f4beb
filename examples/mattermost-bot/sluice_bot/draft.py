"""An answer that grows: a post that is edited at a bounded rate, and more posts when it grows too long for one."""

import asyncio
import logging
import time

from .history import ANSWER
from .mattermost import Mattermost, MattermostError, Post

log = logging.getLogger(__name__)

# Kept free in every post: for the line under the answer, and for the end of a code block.
ROOM = 400
GOING_ON = " …"
FENCE = "```"
LAST_TRIES = 5
# A name that calls everybody in the channel does not when this stands in it.
INVISIBLE = "\u200b"


def pages(text: str, limit: int) -> list[str]:
    """A text in pieces of at most `limit` characters, cut at ends of lines where that is possible.

    A longer text has the same pieces but for the last. A code block that is cut is closed, and opened again.
    """
    found: list[str] = []
    while len(text) > limit:
        cut = text.rfind("\n", limit // 2, limit)
        cut = limit if cut < 0 else cut
        page, text = text[:cut], text[cut:].removeprefix("\n")
        if page.count(FENCE) % 2:
            page, text = f"{page}\n{FENCE}", f"{FENCE}\n{text}"
        found.append(page)
    return [*found, text]


def harmless(text: str) -> str:
    """A text that calls nobody but its readers."""
    for name in ("all", "channel", "here"):
        text = text.replace(f"@{name}", f"@{INVISIBLE}{name}")
    return text


class Draft:
    """The posts of one answer."""

    def __init__(self, mattermost: Mattermost, to: Post, every: float, post_chars: int) -> None:
        """`every`: the least seconds between two edits."""
        self._mattermost, self._to = mattermost, to
        self._every, self._limit = every, post_chars - ROOM
        self._text = ""
        self._shown: list[str] = []
        self._ids: list[str] = []
        self._changed = asyncio.Event()
        self._showing: asyncio.Future[None] | None = None
        self._next = time.monotonic()
        self.gone = False
        """Somebody has removed the answer, or the bot may not write here: no more is wanted."""

    @property
    def text(self) -> str:
        """What the model has said so far."""
        return self._text

    def add(self, piece: str) -> None:
        """More of the answer. It is shown by `run`, in its own time."""
        self._text += piece
        self._changed.set()

    async def run(self) -> None:
        """Shows what was added, until it is cancelled; the stream never waits for Mattermost."""
        while not self.gone:
            await self._changed.wait()
            self._changed.clear()
            self._showing = asyncio.ensure_future(self._show(GOING_ON))
            try:
                # a call that is cut may have been carried out: its post's id would be lost, and the post written twice
                await asyncio.shield(self._showing)
            except MattermostError as why:
                log.warning("an answer could not be shown: %s", why)
                self.gone = not why.passing
            await asyncio.sleep(self._every)

    async def finish(self, end: str) -> None:
        """The whole answer, with the line under it. Raises when Mattermost does not take it."""
        if self._showing:
            await asyncio.wait([self._showing])
            self._showing.exception()  # what it missed is shown now
        for left in reversed(range(LAST_TRIES)):
            await asyncio.sleep(self._next - time.monotonic())
            try:
                await self._show(end)
                break
            except MattermostError as why:
                if not why.passing or not left:
                    raise
                log.warning("an answer's end could not be shown: %s", why)

    async def _show(self, end: str) -> None:
        texts = pages(harmless(self._text.strip()), self._limit)
        texts[-1] += (f"\n{FENCE}" if texts[-1].count(FENCE) % 2 else "") + end
        try:
            for number, text in enumerate(texts):
                if number == len(self._ids):
                    self._ids.append(await self._mattermost.write(self._to, text, ANSWER))
                    self._shown.append(text)
                elif text != self._shown[number]:
                    await self._mattermost.edit(self._ids[number], text)
                    self._shown[number] = text
        finally:
            self._next = time.monotonic() + self._every
