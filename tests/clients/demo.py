"""A running `sluice demo`: the real binary in front of simulated peers, on free ports."""

import collections
import os
import pathlib
import re
import signal
import subprocess
import threading

START_SECONDS = 30
STOP_SECONDS = 10
URL = re.compile(r"^\s*(proxy|admin)\s+(http://127\.0\.0\.1:\d+)")


class Demo:
    """Starts on entering, and leaves no process of its group behind."""

    def __init__(self, binary: pathlib.Path, seconds: int) -> None:
        self._command = [str(binary), "demo", "--port", "0", "--admin-port", "0", "--duration", f"{seconds}s"]
        self._output: collections.deque[str] = collections.deque(maxlen=200)
        self._urls: dict[str, str] = {}
        self._told = threading.Event()

    def __enter__(self) -> "Demo":
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="demo's output", daemon=True)
        self._reader.start()
        self._told.wait(START_SECONDS)
        if len(self._urls) < 2:
            self._stop()
            raise RuntimeError(f"the demo named no addresses within {START_SECONDS} s; it said:\n{self.output()}")
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
        for line in self._process.stdout:
            self._output.append(line)
            if found := URL.match(line):
                self._urls[found.group(1)] = found.group(2)
            if len(self._urls) == 2:
                self._told.set()
        self._told.set()

    def _stop(self) -> None:
        self._signal(signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join(STOP_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass
