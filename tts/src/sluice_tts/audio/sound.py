"""Samples, and how pieces of them become one sound without clicks."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]  # one channel, -1 to 1

RATE = 24_000  # samples a second: what Chatterbox makes and OpenAI's `pcm` promises
TOKENS_PER_SECOND = 25  # Chatterbox's speech tokens: the unit of `usage`
_FADE = 0.005  # seconds at either edge of a piece


def edged(samples: Samples) -> Samples:
    """The piece, rising from and falling to silence within 5 ms: what stands next to it cannot click."""
    length = min(int(_FADE * RATE), len(samples) // 2)
    if length == 0:
        return samples
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
    faded = samples.copy()
    faded[:length] *= ramp
    faded[-length:] *= ramp[::-1]
    return faded


def silence(seconds: float) -> Samples:
    """So many seconds of nothing."""
    return np.zeros(int(seconds * RATE), dtype=np.float32)


def sixteen_bit(samples: Samples) -> NDArray[np.int16]:
    """As signed 16-bit samples; what is too loud is cut at the loudest value."""
    return (np.clip(samples, -1.0, 1.0) * 32767.0).round().astype("<i2")


def seconds(samples: Samples) -> float:
    """How long it sounds."""
    return len(samples) / RATE
