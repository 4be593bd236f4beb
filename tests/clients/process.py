"""The real binary as a child process that has said where it listens."""

import collections
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import threading
from typing import Self

START_SECONDS = 30
STOP_SECONDS = 10


class Sluice:
    """Starts on entering, and leaves no process of its group behind."""

    def __init__(self, binary: pathlib.Path, arguments: list[str], url: str) -> None:
        """`url`: a pattern of the lines that name an address; its groups are `proxy` or `admin`, and the URL."""
        self._command = [str(binary), *arguments]
        self._url = re.compile(url)
        self._output: collections.deque[str] = collections.deque(maxlen=200)
        self._urls: dict[str, str] = {}
        self._told = threading.Event()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="sluice's output", daemon=True)
        self._reader.start()
        self._told.wait(START_SECONDS)
        if len(self._urls) < 2:
            self._stop()
            raise RuntimeError(f"sluice named no addresses within {START_SECONDS} s; it said:\n{self.output()}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def proxy(self) -> str:
        return self._urls["proxy"]

    @property
    def admin(self) -> str:
        return self._urls["admin"]

    def output(self) -> str:
        """The last lines that it printed."""
        return "".join(self._output)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._output.append(line)
            if found := self._url.search(line):
                self._urls[found.group(1)] = found.group(2)
            if len(self._urls) == 2:
                self._told.set()
        self._told.set()

    def _stop(self) -> None:
        self._signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join(STOP_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
