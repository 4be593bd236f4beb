"""Which session a conversation has. A session is gone on with only where it has seen exactly what the client sent.

A client sends the whole conversation with each request. What was said before the last message is the conversation's
mark; a session is kept under the mark that the next request will have. So a wrong guess is not possible: who edits
an old turn, asks again, or only begins alike gets a session of its own, with the history written into it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from sluice_bridge.chat.request import Said


def mark(name: str, turns: Iterable[Said]) -> str:
    """Of what was said. `name`: the client's own name of the conversation (`x-session-id`), or nothing."""
    # clients trim what they show, and send back what they show
    said = [name, *([turn.role, turn.text.strip()] for turn in turns)]
    return hashlib.sha256(json.dumps(said).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Session:
    """One of OpenCode's, and the ids of the answers that it holds."""

    id: str
    answers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Kept:
    session: Session
    name: str
    until: float


class Conversations:
    """Sessions that nobody uses at the moment, the one used last at the end."""

    def __init__(self, most: int, idle: float) -> None:
        """`most` are kept, each for `idle` seconds."""
        self._most, self._idle = most, idle
        self._kept: dict[str, _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, name: str, history: tuple[Said, ...]) -> Session | None:
        """The session that has seen this and nothing else. It is the caller's until it is kept again."""
        found = self._kept.pop(mark(name, history), None) if history else None
        return found.session if found else None

    def keep(self, name: str, turns: tuple[Said, ...], session: Session, now: float) -> list[str]:
        """Keeps a session that has seen these turns; the sessions that have to go for it."""
        key = mark(name, turns)
        # a named conversation has one session: what it was before it went another way is not needed
        going = [at for at, kept in self._kept.items() if at == key or (name and kept.name == name)]
        dropped = [self._kept.pop(at).session.id for at in going]
        self._kept[key] = _Kept(session, name, now + self._idle)
        while len(self._kept) > self._most:
            dropped.append(self._kept.pop(next(iter(self._kept))).session.id)
        return dropped

    def expired(self, now: float) -> list[str]:
        """Takes out the sessions that nobody came back to."""
        late = [at for at, kept in self._kept.items() if kept.until <= now]
        return [self._kept.pop(at).session.id for at in late]

    def clear(self) -> list[str]:
        """Takes out all."""
        return self.expired(float("inf"))
