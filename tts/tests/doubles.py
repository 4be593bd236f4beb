"""Engines that do what a test tells them; their sound is the stand-in's."""

import threading
from collections.abc import Callable
from pathlib import Path

from sluice_tts.audio.sound import Samples
from sluice_tts.engine.base import StoppedError
from sluice_tts.engine.standin import Pace, StandIn
from sluice_tts.voices.store import Voice

Step = Callable[[str], None]
WAIT = 20.0  # seconds


class Told(StandIn):
    """Does something before each piece, and remembers what it spoke, and with which voice."""

    def __init__(self, folder: Path, step: Step = lambda _: None) -> None:
        super().__init__(folder / "conditionals", 2, Pace())
        self.step = step
        self.spoken: list[tuple[str, str]] = []
        self.threads: set[int] = set()
        self.room = True

    def speak(self, text: str, voice: Voice, seed: int, stopped: Callable[[], bool]) -> Samples:
        self.threads.add(threading.get_ident())
        self.step(text)
        sound = super().speak(text, voice, seed, stopped)
        self.spoken.append((voice.name, text))
        return sound

    def has_room(self) -> bool:
        return self.room


class Held(StandIn):
    """Makes each piece only when it is allowed to; while it waits it looks whether to stop, as the real one does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "conditionals", 2, Pace())
        self.begun = threading.Semaphore(0)
        self.allowed = threading.Semaphore(0)
        self.stopped = threading.Event()

    def speak(self, text: str, voice: Voice, seed: int, stopped: Callable[[], bool]) -> Samples:
        self.begun.release()
        while not self.allowed.acquire(timeout=0.005):
            if stopped():
                self.stopped.set()
                raise StoppedError
        return super().speak(text, voice, seed, lambda: False)
