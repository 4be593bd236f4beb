"""The bot's settings: read from the environment, checked as a whole, all problems told at once."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

INSTRUCTIONS = (
    "You are a helpful assistant in a chat room. Answer briefly, in the language of the question, in Markdown."
)
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
FORMATS = ("mp3", "opus", "aac", "flac", "wav")

HELP = f"""\
  MATTERMOST_URL         where Mattermost is: https://chat.example.org (needed)
  MATTERMOST_TOKEN       the bot account's token, or MATTERMOST_TOKEN_FILE (needed)
  SLUICE_URL             where sluice is (http://127.0.0.1:8080)
  SLUICE_KEY             the bot's key, or SLUICE_KEY_FILE (none)
  BOT_MODEL              the model's name at sluice (auto)
  BOT_INSTRUCTIONS       the system message; may be empty ("{INSTRUCTIONS[:40]}…")
  BOT_HISTORY_TOKENS     of a thread's earlier messages, so many tokens at most, by estimate (4000)
  BOT_ANSWER_TOKENS      the longest answer, in tokens (1024)
  BOT_EDIT_EVERY         the least time between two edits of a post: 200ms to 1m (1s)
  BOT_ANSWERS            answers written at one time (4)
  BOT_POST_CHARS         the longest post that the server takes (16383)
  BOT_SPEECH_MODEL       the model for #speak; empty: no speech (tts-1)
  BOT_SPEECH_VOICE       its voice (default)
  BOT_SPEECH_FORMAT      {", ".join(FORMATS)} (mp3)
  BOT_LOG                debug, info, warning or error (info)"""
NAMES = frozenset(re.findall(r"(?m)^  ([A-Z_]+)", HELP)) | {"MATTERMOST_TOKEN_FILE", "SLUICE_KEY_FILE"}


class SettingsError(Exception):
    """What is wrong with the environment, a line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """What the bot runs with."""

    mattermost_url: str
    mattermost_token: str
    sluice_url: str
    sluice_key: str
    model: str
    instructions: str
    history_tokens: int
    answer_tokens: int
    edit_every: float
    """Seconds."""
    answers: int
    post_chars: int
    speech_model: str
    speech_voice: str
    speech_format: str
    log: str


def read(environ: Mapping[str, str]) -> Settings:
    """The settings; raises `SettingsError` with every problem."""
    it = _Reader(environ)
    it.refuse_unknown()
    settings = Settings(
        mattermost_url=it.take("MATTERMOST_URL", None, _url),
        mattermost_token=it.secret("MATTERMOST_TOKEN", None),
        sluice_url=it.take("SLUICE_URL", "http://127.0.0.1:8080", _url),
        sluice_key=it.secret("SLUICE_KEY", "none"),
        model=it.take("BOT_MODEL", "auto", _text),
        instructions=it.take("BOT_INSTRUCTIONS", INSTRUCTIONS, str),
        history_tokens=it.take("BOT_HISTORY_TOKENS", "4000", _number(0, 1_000_000)),
        answer_tokens=it.take("BOT_ANSWER_TOKENS", "1024", _number(1, 1_000_000)),
        edit_every=it.take("BOT_EDIT_EVERY", "1s", _duration(0.2, 60)),
        answers=it.take("BOT_ANSWERS", "4", _number(1, 64)),
        post_chars=it.take("BOT_POST_CHARS", "16383", _number(1000, 16383)),
        speech_model=it.take("BOT_SPEECH_MODEL", "tts-1", str),
        speech_voice=it.take("BOT_SPEECH_VOICE", "default", _text),
        speech_format=it.take("BOT_SPEECH_FORMAT", "mp3", _one_of(FORMATS)),
        log=it.take("BOT_LOG", "info", _one_of(("debug", "info", "warning", "error"))),
    )
    if it.problems:
        raise SettingsError(it.problems)
    return settings


class _Reader:
    """Takes values out of the environment and keeps what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def refuse_unknown(self) -> None:
        """A misspelt name would silently leave the default in force."""
        for name in sorted(self._environ):
            if name.startswith("BOT_") and name not in NAMES:
                near = difflib.get_close_matches(name, NAMES, 1)
                self.problems.append(f"{name}: there is no such setting" + (f"; {near[0]}?" if near else ""))

    def take(self, name: str, default: str | None, parse: Callable[[str], T]) -> T:
        """The value of a variable. After a problem it is worth nothing: `read` raises in the end."""
        text = self._environ.get(name, default)
        try:
            if text is None:
                raise ValueError("is not set")
            return parse(text.strip())
        except ValueError as why:
            self.problems.append(f"{name}: {why}")
            return parse("") if parse is str else None  # type: ignore[return-value]

    def secret(self, name: str, default: str | None) -> str:
        """A secret, from the variable or from the file that `NAME_FILE` names."""
        file = self._environ.get(f"{name}_FILE")
        if file is None:
            return self.take(name, default, _secret)
        if name in self._environ:
            self.problems.append(f"{name}: is set, and {name}_FILE too: leave one out")
        try:
            return _secret(Path(file).read_text().strip())
        except (OSError, UnicodeDecodeError, ValueError) as why:
            self.problems.append(f"{name}_FILE: {file}: {getattr(why, 'strerror', None) or why}")
            return ""


def _text(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    return text


def _secret(text: str) -> str:
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("is empty, or holds a blank or a character that no header may carry")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f'"{text}" is no address such as https://chat.example.org')
    return text.rstrip("/").removesuffix("/v1")


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f'"{text}" is not a whole number from {least} to {most}')
        return int(text)

    return parse


def _duration(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        found = re.fullmatch(r"([0-9]{1,9})(ms|s|m)", text)
        seconds = int(found[1]) * UNITS[found[2]] if found else -1.0
        if not least <= seconds <= most:
            raise ValueError(f'"{text}" is not a time such as 500ms, 2s or 1m, from {least:g} s to {most:g} s')
        return seconds

    return parse


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f'"{text}" is none of {", ".join(words)}')
        return text

    return parse
