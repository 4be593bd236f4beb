"""A stand-in for the model: real sound, no weights, no card. A tone whose pitch depends on the voice and the text.

It takes as long as it is told to, and writes into a file when it began and ended to work: so a test can see whether
anything else used the card meanwhile.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from sluice_tts.audio.sound import RATE, Samples, seconds
from sluice_tts.engine.base import BadReferenceError, StoppedError
from sluice_tts.engine.conditionals import Conditionals
from sluice_tts.voices.store import Voice

_PER_CHARACTER = 0.06  # seconds of sound: as fast as people speak
_SHORTEST = 0.25
_STEP = 0.005  # seconds: how often it looks whether to stop; a token of the real model takes about as long


@dataclass(frozen=True, slots=True)
class Pace:
    """How the stand-in uses its pretended card."""

    per_second: float = 0.0  # seconds of work for a second of sound
    log: Path | None = None  # where its times go: a JSON line each, of CLOCK_MONOTONIC in nanoseconds


class StandIn:
    """The engine of the tests and of `TTS_ENGINE=standin`."""

    def __init__(self, cache: Path, cached_voices: int, pace: Pace) -> None:
        self._pace = pace
        self._pitches: Conditionals[float] = Conditionals(cache, "standin.json", cached_voices, _load, _save)

    name = "standin on no card"
    built_in = True

    def load(self) -> None:
        """Has nothing to load."""

    def warm_up(self) -> None:
        """Has nothing to warm."""

    def has_room(self) -> bool:
        """Needs none."""
        return True

    def speak(self, text: str, voice: Voice, seed: int, stopped: Callable[[], bool]) -> Samples:
        """A tone; its length follows the text's."""
        pitch = self._pitches.of(voice.digest, lambda: _pitch(voice))
        sound = tone(text, pitch, seed)
        self._work(seconds(sound) * self._pace.per_second, stopped)
        return sound

    def _work(self, duration: float, stopped: Callable[[], bool]) -> None:
        if stopped():  # before it has touched the card
            raise StoppedError
        began = time.monotonic_ns()
        outcome = "stopped"
        try:
            while time.monotonic_ns() - began < duration * 1e9:
                if stopped():
                    raise StoppedError
                time.sleep(_STEP)
            outcome = "done"
        finally:
            self._note({"who": "speech", "began": began, "ended": time.monotonic_ns(), "outcome": outcome})

    def _note(self, entry: dict[str, object]) -> None:
        if self._pace.log is None:
            return
        descriptor = os.open(self._pace.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, (json.dumps(entry) + "\n").encode())
        finally:
            os.close(descriptor)


def tone(text: str, pitch: float, seed: int) -> Samples:
    """The stand-in's sound for a text: `frequency` of it, a little noise from the seed."""
    length = int(RATE * max(_SHORTEST, _PER_CHARACTER * len(text)))
    wave = 0.4 * np.sin(2 * np.pi * frequency(text, pitch) * np.arange(length) / RATE)
    noise = 0.002 * np.random.default_rng(seed).standard_normal(length)
    return np.asarray(wave + noise, dtype=np.float32)


def frequency(text: str, pitch: float) -> float:
    """In Hz: the voice's pitch, up to twice as high, as the text has it."""
    return pitch * (1.0 + sha256(text.encode()).digest()[0] / 256)


def _pitch(voice: Voice) -> float:
    """From the recording itself: so it must be there, as for the real model."""
    if voice.path is None:
        return 220.0
    try:
        digest = sha256(voice.path.read_bytes()).digest()
    except OSError as error:
        raise BadReferenceError(f'the recording of the voice "{voice.name}" is gone') from error
    return 250.0 + digest[0]


def _load(path: Path) -> float:
    return float(json.loads(path.read_text()))


def _save(pitch: float, path: Path) -> None:
    path.write_text(json.dumps(pitch))
