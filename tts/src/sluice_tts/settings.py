"""The settings: from a TOML file, and from the environment (`TTS_PORT`, …), which goes first. Unknown keys fail."""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "TTS_"
OPENAI_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")


class SettingsError(Exception):
    """All that is wrong with the settings, a line each."""


class Settings(BaseSettings):
    """What can be set. Relative paths are taken from the file's folder, or from where the service is started."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8004, ge=0, le=65535)
    engine: Literal["chatterbox", "standin"] = "chatterbox"
    device: str = Field("cuda", pattern=r"^(cuda(:\d+)?|cpu)$")
    state_dir: Path = Path("/var/lib/sluice-tts")

    model_name: str = Field("chatterbox-turbo", min_length=1)
    model_aliases: tuple[str, ...] = OPENAI_MODELS
    voice_aliases: dict[str, str] = {}

    checkpoint: Path | None = None
    repository: str = Field("ResembleAI/chatterbox-turbo", pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = "main"
    token_file: Path | None = None
    fetch: bool = False

    max_input: int = Field(4096, ge=1, le=100_000)
    max_queue: int = Field(8, ge=0, le=1024)
    piece: int = Field(300, ge=50, le=300)
    cached_voices: int = Field(4, ge=1, le=64)
    max_voices: int = Field(100, ge=1, le=10_000)
    max_upload: int = Field(10 << 20, ge=1 << 16, le=256 << 20)
    body_timeout: float = Field(30.0, ge=0.05, le=86_400)
    piece_timeout: float = Field(120.0, ge=0.05, le=86_400)
    load_retry: float = Field(30.0, ge=0.05, le=86_400)
    memory_retry: float = Field(5.0, ge=0.05, le=86_400)
    shutdown_grace: int = Field(30, ge=0, le=86_400)

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    standin_pace: float = Field(0.0, ge=0.0, le=60.0)
    standin_log: Path | None = None


def load(file: Path | None = None, **given: Any) -> Settings:
    """The settings; `given` (the command line's) goes before the environment, that before the file."""
    known = {f"{PREFIX}{name.upper()}": name for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError("\n".join(f"{name}: there is no such setting" for name in unknown))
    in_environment = {known[name.upper()] for name in os.environ if name.upper() in known}
    from_file = {name: value for name, value in _read(file).items() if name not in in_environment}
    try:
        return Settings(**{**from_file, **given})
    except ValidationError as error:
        raise SettingsError("\n".join(_line(problem, known) for problem in error.errors())) from None


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    paths = ("state_dir", "checkpoint", "token_file", "standin_log")
    return {
        name: file.parent / value if name in paths and isinstance(value, str) else value
        for name, value in values.items()
    }


def _line(problem: Any, known: dict[str, str]) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or "settings"
    if problem["type"] == "extra_forbidden":
        return f"{place}: there is no such setting; there are: {', '.join(sorted(known.values()))}"
    return f"{place}: {problem['msg']}"
