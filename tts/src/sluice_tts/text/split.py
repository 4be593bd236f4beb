"""A text in pieces that the model speaks well.

Past about 350 characters, or 25 to 30 seconds, the model is reported to lose the thread, and it stops without a word
after 40. So a piece is whole sentences, at most 300 characters; a longer sentence is cut at a comma, a space, or,
where there is none, anywhere but inside a tag such as `[clear throat]` or between a letter and its accent.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sluice_tts.text.clean import paragraphs, speakable
from sluice_tts.text.sentences import sentences

LIMIT = 300  # characters of a piece at most
FIRST = 120  # of the first piece, where sentences allow it: the sooner it is made, the sooner is something heard

_TAG = re.compile(r"\[[A-Za-z ]{1,24}\]")
_CLAUSE = re.compile(r"[,;:—–、，；：](?=\s|$)|[、，；：]")
_SPACE = re.compile(r"\s+")

_INSIDE = 0.03  # seconds of silence after a part of a sentence,
_SENTENCE = 0.15  # after a sentence,
_PARAGRAPH = 0.45  # and after a paragraph


@dataclass(frozen=True, slots=True)
class Piece:
    """What is spoken in one go, and the seconds of silence after it."""

    text: str
    pause: float


def split(text: str, limit: int = LIMIT, first: int = FIRST) -> list[Piece]:
    """The pieces of a text, in order, none longer than `limit`; empty when nothing of it can be spoken."""
    parts = (part for line in paragraphs(text) for part in _parts(line, limit))
    pieces = [piece for piece in _packed(parts, limit, first) if speakable(piece.text)]
    return [*pieces[:-1], replace(pieces[-1], pause=0.0)] if pieces else []


def _parts(line: str, limit: int) -> Iterator[Piece]:
    """The sentences of a paragraph, long ones cut."""
    parts = [part for sentence in sentences(line) for part in _cut(sentence, limit)]
    return (replace(part, pause=_PARAGRAPH) if index == len(parts) else part for index, part in enumerate(parts, 1))


def _packed(parts: Iterable[Piece], limit: int, first: int) -> Iterator[Piece]:
    """Neighbours that fit into one piece together; a paragraph's end stays an end."""
    held: Piece | None = None
    room = min(first, limit)
    for part in parts:
        if held is not None and held.pause != _PARAGRAPH and len(held.text) + 1 + len(part.text) <= room:
            held = Piece(f"{held.text} {part.text}", part.pause)
            continue
        if held is not None:
            yield held
            room = limit
        held = part
    if held is not None:
        yield held


def _cut(sentence: str, limit: int) -> Iterator[Piece]:
    rest = sentence
    while len(rest) > limit:
        at = _place(rest, limit)
        yield Piece(rest[:at].strip(), _INSIDE)
        rest = rest[at:].strip()
    if rest:
        yield Piece(rest, _SENTENCE)


def _place(text: str, limit: int) -> int:
    """Where to cut a text that is too long: after 1 to `limit` characters."""
    window = text[: limit + 1]
    tags = [found.span() for found in _TAG.finditer(text, 0, limit + 32)]
    clauses = _ends(_CLAUSE, window, limit // 3, limit, tags)
    spaces = _ends(_SPACE, window, 1, limit + 1, tags)
    return max(clauses, default=0) or max(spaces, default=0) or _hard(text, limit, tags)


def _ends(mark: re.Pattern[str], window: str, least: int, most: int, tags: list[tuple[int, int]]) -> list[int]:
    ends = (found.end() for found in mark.finditer(window))
    return [end for end in ends if least <= end <= most and not _within(end, tags)]


def _hard(text: str, limit: int, tags: list[tuple[int, int]]) -> int:
    at = next((begin for begin, end in tags if begin < limit < end and begin > 0), limit)
    while at > limit // 2 and unicodedata.combining(text[at]):
        at -= 1
    return at


def _within(place: int, tags: list[tuple[int, int]]) -> bool:
    return any(begin < place < end for begin, end in tags)
