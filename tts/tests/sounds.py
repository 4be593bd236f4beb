"""Recordings made by arithmetic, and measurements of what the service answers."""

import io
from typing import NamedTuple

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from sluice_tts.engine.reference import buzz

Samples = NDArray[np.float32]


class Decoded(NamedTuple):
    """What a player would hear."""

    samples: Samples
    rate: int
    container: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def frequency(self) -> float:
        """Of the loudest tone, in Hz; from the middle, where no edge is."""
        middle = self.samples[len(self.samples) // 4 : 3 * len(self.samples) // 4]
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 8 * len(middle)))
        return float(np.argmax(spectrum) * self.rate / (8 * len(middle)))


def decoded(data: bytes, kind: str) -> Decoded:
    """An answer as samples, read by ffmpeg; `pcm` is 24 kHz, 16 bits, low byte first."""
    if kind == "pcm":
        return Decoded((np.frombuffer(data, "<i2") / 32768).astype(np.float32), 24_000, "pcm")
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        planes = av.AudioResampler(format="fltp", layout="mono", rate=stream.rate)
        frames = [part.to_ndarray()[0] for frame in container.decode(stream) for part in planes.resample(frame)]
        return Decoded(np.concatenate(frames), stream.rate, container.format.name)


def wav(samples: Samples, rate: int = 16_000, subtype: str = "PCM_16", kind: str = "WAV") -> bytes:
    """A file; two-dimensional samples are (time, channel)."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def reference(seconds: float = 6.0, pitch: float = 120.0) -> bytes:
    """A recording that passes the checks."""
    return wav(buzz(seconds, pitch))
