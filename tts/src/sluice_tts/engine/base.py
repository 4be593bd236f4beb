"""The seam: what the service asks of whatever makes the sound. All of it is called on one thread."""

from collections.abc import Callable
from typing import Protocol

from sluice_tts.audio.sound import Samples
from sluice_tts.voices.store import Voice


class UnavailableError(Exception):
    """The engine cannot be loaded now; the message says why and how to mend it."""


class OutOfMemoryError(Exception):
    """The card has too little memory left."""


class BrokenError(Exception):
    """Nothing will work again in this process: it must be started anew."""


class StoppedError(Exception):
    """It was told to stop in the middle of a piece, and has."""


class BadReferenceError(Exception):
    """The voice's recording cannot be used, or is gone."""


class Engine(Protocol):
    """One model, loaded once."""

    @property
    def name(self) -> str:
        """For a person: what it is and where it runs."""

    @property
    def built_in(self) -> bool:
        """Whether it brings along a voice of its own; known once it is loaded."""

    def load(self) -> None:
        """Makes it ready to speak, which takes its time; raises UnavailableError or OutOfMemoryError."""

    def warm_up(self) -> None:
        """Speaks once to nobody: the first time is the slowest."""

    def speak(self, text: str, voice: Voice, seed: int, stopped: Callable[[], bool]) -> Samples:
        """One piece in one voice. The same seed gives the same sound. Asks `stopped` often; if so: StoppedError."""

    def has_room(self) -> bool:
        """Whether, after an OutOfMemoryError, there is memory again; asks the card for nothing else."""
