"""The process `opencode serve`: started with a password of its own, started again when it ends, gone at the end."""

import asyncio
import contextlib
import json
import logging
import os
import re
import secrets
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from sluice_bridge.opencode.config import config, environment
from sluice_bridge.settings import Settings

log = logging.getLogger("sluice_bridge")

_LISTENS = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
_START = 60.0  # seconds until it must have said where it listens
_STOP = 5.0  # seconds that it has to end
_SHORTEST, _LONGEST = 0.5, 30.0  # seconds before it is started again; doubled each time


@dataclass(frozen=True, slots=True)
class Address:
    """Where it listens, and what it asks for."""

    url: str
    password: str


class OpenCode:
    """Runs it for as long as `run` runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.address: Address | None = None
        self.why = "opencode is starting"  # there is no address
        self.on_start: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Starts it, again and again, until it is cancelled."""
        pause = _SHORTEST
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._once()
                self.why = "opencode has ended, and is started again"
            except (OSError, TimeoutError) as error:
                self.why = f"opencode cannot be started: {error or 'it does not say where it listens'}"
            finally:
                self.address = None
            log.error("%s", self.why)
            if asyncio.get_running_loop().time() - began > _LONGEST:
                pause = _SHORTEST
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST)

    async def _once(self) -> None:
        password = secrets.token_urlsafe(32)
        process = await self._start(password)
        try:
            async with asyncio.timeout(_START):
                url = await _listening(process)
            if url is not None:
                self.on_start()  # no session of an earlier life is known to it
                self.address = Address(url, password)
                log.info("opencode listens on %s", url)
                await _drained(process)
            log.error("opencode ended with status %s", await process.wait())
        finally:
            await _end(process)

    async def _start(self, password: str) -> Process:
        home, work = self._settings.state_dir.absolute() / "home", self._settings.state_dir.absolute() / "work"
        file = self._settings.state_dir.absolute() / "opencode.json"
        await asyncio.to_thread(_prepare, self._settings)
        return await asyncio.create_subprocess_exec(
            *(str(self._settings.program.absolute()), "serve", "--pure", "--hostname", "127.0.0.1", "--port", "0"),
            cwd=work,
            env=environment(home, file, work, password, os.environ),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
        )


def _prepare(settings: Settings) -> None:
    """Its folders and its configuration. What an earlier life kept of conversations goes."""
    state = settings.state_dir.absolute()
    shutil.rmtree(state / "home", ignore_errors=True)
    for folder in (state / "home", state / "work"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (state / "opencode.json").write_text(json.dumps(config(settings), indent=1), encoding="utf-8")


async def _listening(process: Process) -> str | None:
    """Where it says that it listens; nothing when it ends before."""
    async for line in _lines(process):
        if found := _LISTENS.search(line):
            return found.group(1)
        log.warning("opencode: %s", line)
    return None


async def _drained(process: Process) -> None:
    async for line in _lines(process):
        log.debug("opencode: %s", line)


async def _lines(process: Process) -> AsyncIterator[str]:
    while process.stdout is not None and (line := await process.stdout.readline()):
        yield line.decode(errors="replace").rstrip()


async def _end(process: Process) -> None:
    """It and all that it has started."""
    _signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP):
            await process.wait()
    except TimeoutError:
        log.warning("opencode does not end by itself")
    finally:
        _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
