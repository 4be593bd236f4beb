"""One request for speech, as the worker sees it, and what it tells back."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sluice_tts.audio.sound import Samples
from sluice_tts.errors import ApiError
from sluice_tts.text.split import Piece
from sluice_tts.voices.store import Voice


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece is made."""

    samples: Samples
    pause: float  # seconds of silence after it


@dataclass(frozen=True, slots=True)
class Finished:
    """All pieces are made."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing more will come."""

    error: ApiError


@dataclass(frozen=True, slots=True)
class Left:
    """The client went away."""


Event = Sound | Finished | Failed | Left


@dataclass(eq=False)
class Job:
    """What to speak, with which voice, and whom to tell."""

    pieces: Sequence[Piece]
    voice: Voice
    seed: int
    tell: Callable[[Event], None]  # called on the worker's thread; must not block
    _left: threading.Event = field(default_factory=threading.Event)

    def leave(self) -> None:
        """Nobody listens any more."""
        self._left.set()

    def left(self) -> bool:
        """Whether nobody listens any more."""
        return self._left.is_set()
