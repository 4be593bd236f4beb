"""Pieces of sound as the bytes of an answer: edges, pauses, speed, format; plain or as server-sent events."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from sluice_tts.audio.encode import Encoder, encoder
from sluice_tts.audio.formats import Format
from sluice_tts.audio.sound import TOKENS_PER_SECOND, Samples, edged, seconds, silence
from sluice_tts.audio.speed import tempo
from sluice_tts.work.job import Sound

_DELTA = 24 << 10  # bytes of sound in one event: clients read lines of 64 KiB at most


class Render:
    """One answer's sound. Its work is done off the event loop; one call at a time."""

    def __init__(self, made: Format, speed: float) -> None:
        self._made = made
        self._tempo = tempo(speed)
        self._encoder: Encoder | None = None
        self.seconds = 0.0  # of sound that the model made

    def add(self, sound: Sound) -> bytes:
        """A piece more; gives what is ready."""
        return self._encoding().feed(self._tempo.feed(self._joined(sound)))

    def end(self) -> bytes:
        """The rest."""
        made = self._encoding()
        return made.feed(self._tempo.finish()) + made.finish()

    def whole(self, sound: Sound) -> bytes:
        """An answer of a single piece: its length is known, and stands in the header where there is one."""
        samples = np.concatenate((self._tempo.feed(self._joined(sound)), self._tempo.finish()))
        made = encoder(self._made, len(samples))
        return made.feed(samples) + made.finish()

    def _joined(self, sound: Sound) -> Samples:
        self.seconds += seconds(sound.samples)
        return np.concatenate((edged(sound.samples), silence(sound.pause)))

    def _encoding(self) -> Encoder:
        if self._encoder is None:
            self._encoder = encoder(self._made)
        return self._encoder


def deltas(sound: bytes) -> Iterator[bytes]:
    """The events that carry so many bytes of sound."""
    for begin in range(0, len(sound), _DELTA):
        audio = base64.b64encode(sound[begin : begin + _DELTA]).decode("ascii")
        yield event({"type": "speech.audio.delta", "audio": audio})


def done(characters: int, made: float) -> bytes:
    """The last event. Tokens: about four characters of text, and 25 for a second of sound."""
    spent, given = max(1, round(characters / 4)), round(made * TOKENS_PER_SECOND)
    usage = {"input_tokens": spent, "output_tokens": given, "total_tokens": spent + given}
    return event({"type": "speech.audio.done", "usage": usage})


def event(value: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(value, separators=(',', ':'))}\n\n".encode()
