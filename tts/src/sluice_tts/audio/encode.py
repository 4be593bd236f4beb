"""Encoders that are fed piece by piece and give bytes as soon as there are some."""

import struct
from abc import ABC, abstractmethod
from typing import Protocol, cast

import av
import numpy as np
from av.audio.stream import AudioStream

from sluice_tts.audio.formats import Format
from sluice_tts.audio.sound import RATE, Samples, sixteen_bit

_UNKNOWN = 0xFFFF_FFFF  # the size in the header of a WAV stream whose end is not known


class Encoder(ABC):
    """One answer's sound on its way to bytes."""

    @abstractmethod
    def feed(self, samples: Samples) -> bytes:
        """Takes more of the sound; gives what of it is encoded by now."""

    @abstractmethod
    def finish(self) -> bytes:
        """The sound is over; gives the rest. Nothing is fed after it."""


def encoder(made: Format, samples: int | None = None) -> Encoder:
    """An encoder for a format; `samples`: how many there will be, if that is known (WAV's header says it)."""
    if made.container is not None:
        return _Ffmpeg(made)
    return _Plain(_wav_header(samples) if made.name == "wav" else b"")


class _Plain(Encoder):
    """16-bit samples, low byte first, after a header."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def feed(self, samples: Samples) -> bytes:
        header, self._header = self._header, b""
        return header + sixteen_bit(samples).tobytes()

    def finish(self) -> bytes:
        return self._header


def _wav_header(samples: int | None) -> bytes:
    size = _UNKNOWN if samples is None else 2 * samples
    whole = _UNKNOWN if samples is None else 36 + size
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return b"RIFF" + struct.pack("<I", whole) + b"WAVE" + form + b"data" + struct.pack("<I", size)


class _Sink:
    """What ffmpeg writes to. It has no `seek`: so no muxer goes back to mend what is already sent."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


class _Sized(Protocol):
    """The part of a codec that says how many samples a frame of it has."""

    frame_size: int


class _Ffmpeg(Encoder):
    def __init__(self, made: Format) -> None:
        self._sink = _Sink()
        self._container = av.open(self._sink, "w", format=made.container, options={**dict(made.options)})
        stream = self._container.add_stream(made.codec, rate=RATE, layout="mono")
        self._stream = cast(AudioStream, stream)
        if made.bit_rate is not None:
            self._stream.bit_rate = made.bit_rate
        wanted = self._stream.codec_context.codec.audio_formats or []
        self._resampler = av.AudioResampler(format=wanted[0].name if wanted else "s16", layout="mono", rate=RATE)
        self._fifo = av.AudioFifo()
        self._fed = 0

    def feed(self, samples: Samples) -> bytes:
        if len(samples):
            self._take_in(samples)
            self._encode(whole=False)
        return self._sink.take()

    def finish(self) -> bytes:
        self._encode(whole=True)
        self._mux(None)
        self._container.close()
        return self._sink.take()

    def _take_in(self, samples: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(sixteen_bit(samples)[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = self._fed
        self._fed += len(samples)
        for resampled in self._resampler.resample(frame):
            self._fifo.write(resampled)

    def _encode(self, *, whole: bool) -> None:
        """Encodes the full frames that are there; `whole`: and the last one, which may be short."""
        self._stream.codec_context.open(strict=False)
        size = cast(_Sized, self._stream.codec_context).frame_size or RATE // 10
        for frame in self._fifo.read_many(size, partial=whole):
            self._mux(frame)

    def _mux(self, frame: av.AudioFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
