"""A thread as a conversation: who said what, and as much of it as fits."""

from collections.abc import Mapping, Sequence
from typing import Any

from . import ask, words
from .mattermost import Post, User

Json = dict[str, Any]

# The kind of a post of the bot, kept in its props. Only answers are part of the conversation.
ANSWER = "answer"
NOTICE = "notice"
SOUND = "sound"

# Bytes of UTF-8 in a token, and tokens around a message. Code and most languages but English have fewer bytes in a
# token than its four; three errs on the long side for them too.
BYTES_PER_TOKEN = 3
TOKENS_PER_MESSAGE = 8


def tokens(text: str) -> int:
    """An estimate of a message's tokens, rather too many than too few."""
    return len(text.encode()) // BYTES_PER_TOKEN + 1 + TOKENS_PER_MESSAGE


def turns(posts: Sequence[Post], me: User, people: Mapping[str, User]) -> list[Json]:
    """The posts as messages, the oldest first; posts of one side in a row are one message.

    Where several people speak, each of their posts begins with the name. Other bots' posts are left out.
    """
    several = len({post.user for post in posts if _is_from_person(post, me, people)}) > 1
    found: list[Json] = []
    for post in posts:
        if _is_from_person(post, me, people):
            name = f"{people[post.user].name}: " if several else ""
            _add(found, "user", name, ask.read(post.message, me.name).text)
        elif post.user == me.id and post.props.get("sluice") == ANSWER:
            _add(found, "assistant", "", words.without_footer(post.message))
    return found


def conversation(said: Sequence[Json], instructions: str, limit: int) -> list[Json]:
    """The last message, and of those before it the latest that hold `limit` tokens at most."""
    *earlier, last = said
    kept: list[Json] = []
    left = limit
    for message in reversed(earlier):
        left -= tokens(message["content"])
        if left < 0:
            break
        kept.insert(0, message)
    while kept and kept[0]["role"] != "user":  # templates of models want the user to begin
        kept.pop(0)
    return [*([{"role": "system", "content": instructions}] if instructions else []), *kept, last]


def is_bot(post: Post, author: User) -> bool:
    """Whether no person wrote it: a bot's account, a webhook, a plugin, or the server itself."""
    marks = ("from_bot", "from_webhook", "from_plugin")
    return author.is_bot or bool(post.kind) or any(str(post.props.get(mark)).lower() == "true" for mark in marks)


def _is_from_person(post: Post, me: User, people: Mapping[str, User]) -> bool:
    return post.user != me.id and not is_bot(post, people[post.user])


def _add(found: list[Json], role: str, name: str, text: str) -> None:
    if not text:
        return
    if found and found[-1]["role"] == role:
        found[-1]["content"] += f"\n\n{name}{text}"
    else:
        found.append({"role": role, "content": name + text})
