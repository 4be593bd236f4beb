"""What of a text can be spoken: control and invisible characters are taken out, white space is made plain."""

import re
import unicodedata

_PARAGRAPH = re.compile(r"\n\s*\n")


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, each on one line, without what has no sound; empty ones are left out."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2029", "\n\n")
    lines = (" ".join(_audible(part).split()) for part in _PARAGRAPH.split(plain))
    return [line for line in lines if line]


def speakable(text: str) -> bool:
    """Whether anything in it can be said: a letter or a digit. The model speaks gibberish for the rest."""
    return any(character.isalnum() for character in text)


def _audible(text: str) -> str:
    return "".join(_kept(character) for character in unicodedata.normalize("NFC", text))


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # zero width and direction marks: they would only spoil a word
        return ""
    return " " if category.startswith("C") or character.isspace() else character
