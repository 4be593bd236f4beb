"""Faster or slower at the same pitch: OpenAI's `speed`."""

from abc import ABC, abstractmethod

import av
import numpy as np
from av.filter import Graph

from sluice_tts.audio.sound import RATE, Samples

SLOWEST, FASTEST = 0.25, 4.0


class Tempo(ABC):
    """A sound of which a part goes in and a part comes out, shorter or longer."""

    @abstractmethod
    def feed(self, samples: Samples) -> Samples:
        """Takes more of the sound; gives what is ready."""

    @abstractmethod
    def finish(self) -> Samples:
        """The sound is over; gives the rest."""


def tempo(speed: float) -> Tempo:
    """For a speed of 0.25 to 4; at 1 the sound passes as it is."""
    return _Same() if speed == 1.0 else _Atempo(speed)


class _Same(Tempo):
    def feed(self, samples: Samples) -> Samples:
        return samples

    def finish(self) -> Samples:
        return np.zeros(0, dtype=np.float32)


class _Atempo(Tempo):
    """ffmpeg's filter of that name: it overlaps pieces of the wave where they are most alike."""

    def __init__(self, speed: float) -> None:
        self._graph = Graph()
        source = self._graph.add_abuffer(format="flt", sample_rate=RATE, layout="mono")
        sink = self._graph.add("abuffersink")
        last = source
        for factor in _factors(speed):
            step = self._graph.add("atempo", f"{factor:.6f}")
            last.link_to(step)
            last = step
        last.link_to(sink)
        self._graph.configure()
        self._fed = 0

    def feed(self, samples: Samples) -> Samples:
        if len(samples):
            frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="flt", layout="mono")
            frame.sample_rate = RATE
            frame.pts = self._fed
            self._fed += len(samples)
            self._graph.push(frame)
        return self._ready()

    def finish(self) -> Samples:
        self._graph.push(None)
        return self._ready()

    def _ready(self) -> Samples:
        parts: list[Samples] = []
        while True:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)
            parts.append(frame.to_ndarray().reshape(-1).astype(np.float32))


def _factors(speed: float) -> list[float]:
    """The filter takes 0.5 to 100, and leaves samples out past 2: steps of at most 2 either way."""
    factors = []
    while not 0.5 <= speed <= 2.0:
        factors.append(0.5 if speed < 1 else 2.0)
        speed /= factors[-1]
    return [*factors, speed]
