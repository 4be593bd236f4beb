"""A recording's bytes as samples, however they are packed; bounded, whatever the bytes say about themselves."""

import io
from dataclasses import dataclass

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

MOST_SECONDS = 120.0  # that are decoded: a small file can unpack to days
MOST_CHANNELS = 8
RATES = (8_000, 192_000)  # samples a second, from, to


class NoRecordingError(Exception):
    """The bytes are no sound that can be read; the message says why, for a person."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Decoded sound."""

    samples: NDArray[np.float32]  # one row a channel
    rate: int  # samples a second
    format: str  # for a person: "WAV PCM_16"
    plain: bool  # whether it is WAV with whole-number samples

    @property
    def channels(self) -> int:
        """How many."""
        return int(self.samples.shape[0])

    def mono(self) -> NDArray[np.float32]:
        """All channels as one."""
        return np.asarray(self.samples.mean(axis=0) if self.channels != 1 else self.samples[0], dtype=np.float32)


def decode(data: bytes) -> Recording:
    """Reads WAV, FLAC, MP3 and Ogg, and whatever else ffmpeg knows (m4a and webm of phones and browsers)."""
    if not data:
        raise NoRecordingError("the file is empty")
    try:
        return _soundfile(data)
    except soundfile.LibsndfileError:
        return _ffmpeg(data)


def _soundfile(data: bytes) -> Recording:
    about = soundfile.info(io.BytesIO(data))
    _bounds(about.samplerate, about.channels)
    # what the head says about the length is not believed: only so much is read
    most = int(MOST_SECONDS * about.samplerate)
    samples, rate = soundfile.read(io.BytesIO(data), frames=most + 1, dtype="float32", always_2d=True)
    if len(samples) > most:
        raise _too_long()
    plain = about.format in ("WAV", "WAVEX") and about.subtype.startswith("PCM_")
    return Recording(np.ascontiguousarray(samples.T), int(rate), f"{about.format} {about.subtype}", plain)


def _ffmpeg(data: bytes) -> Recording:
    try:
        with av.open(io.BytesIO(data), "r") as container:
            if not container.streams.audio:
                raise NoRecordingError("there is no sound in the file")
            return _decoded(container)
    except (av.FFmpegError, ValueError, UnicodeError) as error:
        raise NoRecordingError("the file is no sound that can be read: send WAV") from error


def _decoded(container: av.container.InputContainer) -> Recording:
    stream = container.streams.audio[0]
    rate, channels = stream.rate, stream.codec_context.channels
    _bounds(rate, channels)
    most, parts, count = int(MOST_SECONDS * rate), [], 0
    planes = av.AudioResampler(format="fltp", layout=stream.codec_context.layout, rate=rate)
    for frame in container.decode(stream):
        for part in planes.resample(frame):
            parts.append(part.to_ndarray().astype(np.float32))
            count += part.samples
        if count > most:
            raise _too_long()
    if not count:
        raise NoRecordingError("there is no sound in the file")
    name = f"{container.format.name} {stream.codec_context.name}"
    return Recording(np.concatenate(parts, axis=1), rate, name, plain=False)


def _bounds(rate: int, channels: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise NoRecordingError(f"it has {rate} samples a second; readable are {RATES[0]} to {RATES[1]}")
    if not 1 <= channels <= MOST_CHANNELS:
        raise NoRecordingError(f"it has {channels} channels; readable are 1 to {MOST_CHANNELS}")


def _too_long() -> NoRecordingError:
    return NoRecordingError(f"it lasts more than {MOST_SECONDS:g} s: cut it to 5 to 10 seconds first")
