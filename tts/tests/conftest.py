"""Fixtures: a running service, and recordings to speak with."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from running import Running
from sluice_tts.engine.base import Engine

# No time limit for one example: the machine may be busy. No folder of examples: the tests leave nothing behind.
hypothesis_settings.register_profile("here", deadline=None, database=None, max_examples=60, print_blob=True)
hypothesis_settings.load_profile("here")

Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts services on free ports; they are stopped at the end."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with ExitStack() as stack:

        def run(double: Engine | None = None, *, ready: bool = True, **settings: Any) -> Running:
            running = stack.enter_context(Running(double, {"state_dir": tmp_path, "engine": "standin", **settings}))
            if ready:
                running.wait("ready")
            return running

        yield run


@pytest.fixture
def service(start: Start) -> Running:
    """One with the stand-in and no voice of its own."""
    return start()
