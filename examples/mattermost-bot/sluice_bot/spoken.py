"""An answer as it is said aloud: without what only the eye can read."""

import re

# What /v1/audio/speech takes, OpenAI's and Chatterbox's service alike.
LONGEST_CHARS = 4096

_STEPS: tuple[tuple[str, str], ...] = (
    (r"(?s)```.*?(?:```|\Z)", " "),              # code is not read out
    (r"!\[[^\]]*\]\([^)]*\)", " "),              # nor pictures
    (r"\[([^\]]+)\]\([^)]*\)", r"\1"),           # of links the words
    (r"https?://\S+", " "),
    (r"(?m)^\s{0,3}(?:#{1,6}|>|[-*+]|\d+\.)\s+", ""),
    (r"(?m)^\s*\|?(?:\s*:?-+:?\s*\|)+.*$", ""),  # the line under a table's head
    (r"[*_`~|]+", ""),
    (r"[ \t]+", " "),
    (r"\s*\n\s*", "\n"),
)  # fmt: skip


def spoken(markdown: str) -> str:
    """The words to say; cut after a sentence where they are too many."""
    text = markdown
    for pattern, by in _STEPS:
        text = re.sub(pattern, by, text)
    text = text.strip()
    if len(text) <= LONGEST_CHARS:
        return text
    cut = max(text.rfind(end, 0, LONGEST_CHARS) for end in (". ", "! ", "? ", "\n"))
    return text[: cut + 1 if cut > 0 else LONGEST_CHARS].rstrip()
