"""What can be put right about a recording without changing the voice: channels, sample rate, silence, length."""

import io

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from sluice_tts.voices.check import LONGEST, RATE, SHORTEST
from sluice_tts.voices.decode import Recording
from sluice_tts.voices.measure import active_frames, frame_levels

_MARGIN = 0.10  # seconds of silence that are kept at either end
_FRAME = 0.020


def mended(recording: Recording) -> Recording:
    """One channel, 16 kHz, without the silence around it, and at most 10 seconds: cut in a pause if there is one."""
    mono = recording.mono()
    if np.isfinite(mono).all():
        mono = soxr.resample(mono, recording.rate, RATE).astype(np.float32)
        mono = _shortened(_trimmed(mono))
    return Recording(mono[np.newaxis, :], RATE, "WAV PCM_16", plain=True)


def wav(recording: Recording) -> bytes:
    """The recording as a WAV file with 16-bit samples."""
    file = io.BytesIO()
    soundfile.write(file, recording.samples.T, recording.rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _trimmed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    heard = np.flatnonzero(active_frames(frame_levels(samples, RATE)))
    if not len(heard):
        return samples
    size, margin = int(_FRAME * RATE), int(_MARGIN * RATE)
    return samples[max(0, heard[0] * size - margin) : (heard[-1] + 1) * size + margin]


def _shortened(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The beginning, up to the quietest moment between 7.5 and 10 seconds: no word is cut where there is a pause."""
    most = int(LONGEST * RATE)
    if len(samples) <= most:
        return samples
    size = int(_FRAME * RATE)
    levels = frame_levels(samples[:most], RATE)
    least = int((SHORTEST + LONGEST) / 2 * RATE) // size
    return samples[: (least + int(np.argmin(levels[least:])) + 1) * size]
