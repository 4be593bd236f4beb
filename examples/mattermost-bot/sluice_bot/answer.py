"""One question answered: the thread read, sluice asked, the answer written and, where that was wished, spoken."""

import asyncio
import contextlib
import logging
import mimetypes
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from . import ask, history, words
from .draft import Draft
from .mattermost import Mattermost, MattermostError, Post, User
from .settings import Settings
from .sluice import BrokenError, Chat, RefusedError, Sluice, UnreachableError
from .spoken import spoken

Json = dict[str, Any]
log = logging.getLogger(__name__)

# Mattermost shows "is typing" for some five seconds.
TYPING_SECONDS = 4.0
# Mattermost may take so long to learn that the bot was stopped.
STOP_SECONDS = 3.0
STOPPED = "The bot was stopped."
NOTHING = "The model answered nothing."
NO_SPEECH = "Speech is switched off (BOT_SPEECH_MODEL)."
NOTHING_TO_SAY = "There is nothing in it that can be read out."
SUFFIXES = {"audio/wav": ".wav", "audio/x-wav": ".wav", "audio/mpeg": ".mp3", "audio/ogg": ".ogg"}


class Answerer:
    """Answers posts that are known to be questions to the bot."""

    def __init__(self, mattermost: Mattermost, sluice: Sluice, settings: Settings, me: User) -> None:
        self._mattermost, self._sluice, self._settings, self._me = mattermost, sluice, settings, me

    async def answer(self, post: Post) -> None:
        """The whole of it. What sluice refuses is told in the thread; what Mattermost refuses is raised."""
        question = ask.read(post.message, self._me.name)
        thread = await self._mattermost.thread(post.root)
        if post.id not in {one.id for one in thread}:
            log.info("%s was taken back", post.id)
            return
        said = await self._said([*(one for one in thread if self._is_before(one, post)), post])
        before = said[-1]["content"] if said and said[-1]["role"] == "assistant" else ""
        if question.speak and not question.text and before:
            await self._speak(post, before)
        elif messages := _to_ask(said, question):
            text = await self._write(post, messages)
            if question.speak and text:
                await self._speak(post, text)
        else:
            await self._tell(post, ask.EMPTY)

    async def _said(self, posts: list[Post]) -> list[Json]:
        """The posts as messages."""
        people = {user: await self._mattermost.user(user) for user in {one.user for one in posts}}
        return history.turns(posts, self._me, people)

    def _is_before(self, one: Post, post: Post) -> bool:
        """Whether a post belongs to the conversation before the question.

        All answers do: one that is younger is that to an earlier question, since a thread's are answered in turn.
        """
        return one.created < post.created or one.user == self._me.id

    async def _write(self, post: Post, messages: list[Json]) -> str:
        """Asks, and shows the answer as it comes; what was said, empty where that was nothing."""
        draft = Draft(self._mattermost, post, self._settings.edit_every, self._settings.post_chars)
        try:
            async with _beside(self._type(post, draft)), _beside(draft.run()), self._chat(messages, post) as chat:
                await _listen(chat, draft)
        except (RefusedError, UnreachableError, BrokenError) as error:
            return await self._fail(post, draft, words.sentence(error))
        except asyncio.CancelledError:
            with contextlib.suppress(MattermostError, TimeoutError):
                await asyncio.wait_for(self._fail(post, draft, STOPPED), STOP_SECONDS)
            raise
        if draft.gone:
            log.info("the answer to %s is not wanted any more", post.id)
            return ""
        if not draft.text.strip():
            return await self._fail(post, draft, NOTHING)
        await draft.finish(words.footer(chat.route, chat.model, chat.finish))
        log.info("answered %s: %s, %s", post.id, chat.route.backend, chat.route.reason)
        return draft.text

    def _chat(self, messages: list[Json], post: Post) -> contextlib.AbstractAsyncContextManager[Chat]:
        it = self._settings
        return self._sluice.chat(history.conversation(messages, it.instructions, it.history_tokens), post.root)

    async def _fail(self, post: Post, draft: Draft, why: str) -> str:
        """Tells what went wrong: under what there is of the answer, else in a post of its own."""
        log.info("not answered %s: %s", post.id, why)
        if draft.text.strip():
            await draft.finish(words.cut_off(why))
        else:
            await self._tell(post, why)
        return ""

    async def _speak(self, post: Post, text: str) -> None:
        """The answer as a sound, attached to a post of its own: not every Mattermost lets an edit add a file."""
        aloud = spoken(text)
        if not self._settings.speech_model:
            await self._tell(post, NO_SPEECH)
        elif not aloud:
            await self._tell(post, NOTHING_TO_SAY)
        else:
            try:
                sound, kind = await self._sluice.speech(aloud, post.root)
            except (RefusedError, UnreachableError, BrokenError) as error:
                await self._tell(post, f"No speech: {words.sentence(error)}")
                return
            name = "answer" + (SUFFIXES.get(kind) or mimetypes.guess_extension(kind) or ".bin")
            file = await self._mattermost.upload(post.channel, name, sound)
            await self._mattermost.write(post, "", history.SOUND, [file])

    async def _tell(self, post: Post, message: str) -> None:
        await self._mattermost.write(post, message, history.NOTICE)

    async def _type(self, post: Post, draft: Draft) -> None:
        """Shows that the bot is at work until the first words are there: a model may be waited for for minutes."""
        while not draft.text:
            with contextlib.suppress(MattermostError):
                await self._mattermost.typing(post)
            await asyncio.sleep(TYPING_SECONDS)


def _to_ask(said: list[Json], question: ask.Ask) -> list[Json]:
    """The messages to send; none where there is no question.

    A post of tags alone, such as `#force_big`, asks the last question once more.
    """
    if not question.text:
        return []
    if not question.tags or "\n\n" in said[-1]["content"]:  # a question that nobody answered stands before the tags
        return said
    earlier = said[:-1]
    while earlier and earlier[-1]["role"] == "assistant":
        earlier = earlier[:-1]
    if not earlier:
        return []
    again = {**earlier[-1], "content": f"{earlier[-1]['content']} {question.tags}"}
    return [*earlier[:-1], again]


async def _listen(chat: Chat, draft: Draft) -> None:
    """Takes the answer in. It is left, and the card freed, when nobody wants it any more."""
    async with contextlib.aclosing(chat.pieces()) as pieces:
        async for piece in pieces:
            draft.add(piece)
            if draft.gone:
                return


@contextlib.asynccontextmanager
async def _beside(work: Awaitable[None]) -> AsyncIterator[None]:
    """Something that goes on for as long as the block; it has ended when the block is left."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()
