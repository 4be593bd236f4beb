"""What a recording is like, in figures. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FRAME = 0.020  # seconds
_QUIETEST = 1e-6  # -120 dBFS: the logarithm of silence
_BELOW_LOUDEST = 40.0  # dB; a frame is active when it is no further below the loudest one
_ACTIVE_FLOOR = -60.0  # dBFS; and above this
_CLIPPED = 0.999  # of full scale


@dataclass(frozen=True, slots=True)
class Measures:
    """The figures that a reference is judged by."""

    seconds: float
    finite: bool
    clipped: float  # share of samples at full scale, 0 to 1
    level: float  # root mean square, dBFS
    active: float  # share of 20 ms frames in which something is heard, 0 to 1
    contrast: float  # dB between loud frames (95th percentile) and quiet ones (10th)


def measure(samples: NDArray[np.float32], rate: int) -> Measures:
    """The figures of one channel of sound at so many samples a second."""
    seconds = len(samples) / rate
    if not len(samples) or not np.isfinite(samples).all():
        return Measures(seconds, len(samples) == 0, 0.0, -120.0, 0.0, 0.0)
    frames = frame_levels(samples, rate)
    return Measures(
        seconds=seconds,
        finite=True,
        clipped=float(np.mean(np.abs(samples) >= _CLIPPED)),
        level=float(_decibels(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))),
        active=float(np.mean(active_frames(frames))),
        contrast=float(np.percentile(frames, 95) - np.percentile(frames, 10)),
    )


def frame_levels(samples: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """The level of each 20 ms in dBFS; a rest at the end that fills no frame is left out."""
    size = max(1, int(_FRAME * rate))
    count = max(1, len(samples) // size)
    frames = np.resize(samples, (count, size)).astype(np.float64)
    return _decibels(np.sqrt(np.mean(np.square(frames), axis=1)))


def active_frames(levels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """In which frames something is heard."""
    return levels > max(_ACTIVE_FLOOR, float(levels.max()) - _BELOW_LOUDEST)


def _decibels(amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(20.0 * np.log10(np.maximum(amplitude, _QUIETEST)), dtype=np.float64)
