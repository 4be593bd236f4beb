"""The weights of a service that fetches them itself, at its first start: `fetch = true`, as in the container."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

from sluice_tts.engine.base import UnavailableError
from sluice_tts.hub.weights import Weights
from sluice_tts.settings import PREFIX, Settings

log = logging.getLogger("sluice_tts")

_TELL = 10.0  # seconds between two lines about the progress
_NAMES = ("state_dir", "repository", "revision", "token_file")


class FirstFetch:
    """As `Weights`; where there are none, `tts fetch` runs first, as a process of its own: this one stays offline."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._weights = Weights(settings)

    def folder(self) -> Path:
        """The folder."""
        try:
            return self._weights.folder()
        except UnavailableError:
            if self._settings.checkpoint is not None:
                raise
        log.info("no weights yet: they are fetched")
        self._fetch()
        return self._weights.folder()

    def _fetch(self) -> None:
        """Logs its progress now and then; the reason of a failure is its last line."""
        command = [sys.executable, "-m", "sluice_tts", "fetch"]
        said, told = "it said nothing", time.monotonic()
        # a progress bar ends its lines with a carriage return: in text mode that is a line's end too
        with subprocess.Popen(command, env=self._environment(), stderr=subprocess.PIPE, text=True) as running:  # noqa: S603
            for line in running.stderr or ():
                said = line.strip() or said
                if time.monotonic() - told > _TELL:
                    log.info("fetching: %s", said)
                    told = time.monotonic()
        if running.returncode != 0:
            raise UnavailableError(f"no weights, and fetching them failed: {said.removeprefix('tts: ')}")

    def _environment(self) -> dict[str, str]:
        offline = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
        kept = {name: value for name, value in os.environ.items() if name not in offline}
        given = {name: getattr(self._settings, name) for name in _NAMES}
        return kept | {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items() if value is not None}
