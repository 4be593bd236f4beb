"""The settings: from a TOML file, and from the environment (`BRIDGE_PORT`, …), which goes first."""

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "BRIDGE_"
PATHS = ("state_dir", "program", "api_key_file", "key_file")


class SettingsError(Exception):
    """All that is wrong with the settings, a line each."""


class Settings(BaseSettings):
    """What can be set. Relative paths are taken from the file's folder, or from where the service is started."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(8005, ge=0, le=65535)
    key_file: Path | None = None
    state_dir: Path = Path("/var/lib/sluice-bridge")
    program: Path = Path("/opt/sluice-bridge/opencode")

    model_name: str = Field("claude", min_length=1)
    model_aliases: tuple[str, ...] = ()
    provider: str = Field("anthropic", pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    provider_model: str = Field("claude-sonnet-5", pattern=r"^[\w./:@-]{1,128}$")
    provider_package: str | None = None
    base_url: str | None = Field(None, pattern=r"^https?://\S+$")
    api_key_file: Path = Path("/etc/sluice-bridge/api-key")
    context_window: int = Field(200_000, ge=1_000, le=10_000_000)
    max_output: int = Field(8_192, ge=16, le=128_000)
    prompt: str = Field("You are a helpful assistant.", min_length=1, max_length=20_000)

    max_running: int = Field(2, ge=1, le=64)
    max_sessions: int = Field(64, ge=0, le=10_000)
    session_idle: float = Field(3600.0, ge=0.05, le=604_800)
    max_body: int = Field(4 << 20, ge=1 << 10, le=32 << 20)
    body_timeout: float = Field(30.0, ge=0.05, le=86_400)
    retry_patience: float = Field(15.0, ge=0.0, le=3_600)
    silence_timeout: float = Field(120.0, ge=0.05, le=86_400)
    answer_timeout: float = Field(900.0, ge=0.05, le=86_400)
    shutdown_grace: int = Field(30, ge=0, le=86_400)

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError("only the loopback: sluice asks for keys, and this service may be asked without one")
        return host

    @property
    def models(self) -> tuple[str, ...]:
        """Every model name that a request may use."""
        return (self.model_name, *self.model_aliases)


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


def secret(file: Path) -> str:
    """What a file of one secret holds, without the white space around it."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    if not text.isascii() or not text.isprintable() or not text or " " in text:
        raise SettingsError(f"{file}: it must hold one key and nothing else")
    return text


def _read(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    return {
        name: file.parent / value if name in PATHS and isinstance(value, str) else value
        for name, value in values.items()
    }


def _line(problem: Any, known: dict[str, str]) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or "settings"
    if problem["type"] == "extra_forbidden":
        return f"{place}: there is no such setting; there are: {', '.join(sorted(known.values()))}"
    return f"{place}: {problem['msg']}"
