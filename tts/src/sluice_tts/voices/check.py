"""What a reference must be like. Each refusal names the measured value and the limit, and how to mend it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sluice_tts.voices.decode import Recording
from sluice_tts.voices.measure import Measures, measure

RATE = 16_000  # samples a second
SHORTEST, LONGEST = 5.0, 10.0  # seconds: the model refuses 5.0 itself, and hears no more than 10
MOST_CLIPPED = 0.001  # share of samples
QUIETEST, LOUDEST = -45.0, -8.0  # dBFS
LEAST_ACTIVE = 0.5  # share of frames
LEAST_CONTRAST = 15.0  # dB

_CONVERT = "send it with ?convert=true to have it converted"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that is wrong with a reference."""

    check: str
    measured: float | str | None  # None: there is no such figure
    limit: str
    message: str


def refusals(recording: Recording) -> list[Refusal]:
    """Everything that is wrong with a recording as a reference; empty: it will do."""
    return [*_form(recording), *_sound(recording.mono(), recording.rate)]


def _form(recording: Recording) -> list[Refusal]:
    found = []
    if not recording.plain:
        found.append(
            Refusal("format", recording.format, "WAV PCM", f"it is {recording.format}, not WAV PCM; {_CONVERT}")
        )
    if recording.rate != RATE:
        message = f"it has {recording.rate} samples a second, not {RATE}; {_CONVERT}"
        found.append(Refusal("sample_rate", recording.rate, f"{RATE} Hz", message))
    if recording.channels != 1:
        message = f"it has {recording.channels} channels, not one; {_CONVERT}"
        found.append(Refusal("channels", recording.channels, "1", message))
    return found


def _sound(samples: NDArray[np.float32], rate: int) -> list[Refusal]:
    measures = measure(samples, rate)
    if not measures.finite:
        message = "it holds values that are no numbers: save it again as 16-bit PCM"
        return [Refusal("finite", None, "numbers only", message)]
    judged = (_duration(measures), _clipping(measures), _level(measures), _speech(measures), _noise(measures))
    return [refusal for refusal in judged if refusal is not None]


def _duration(measures: Measures) -> Refusal | None:
    if SHORTEST < measures.seconds <= LONGEST:
        return None
    limit = f"more than {SHORTEST:g} s, at most {LONGEST:g} s"
    return Refusal(
        "duration", round(measures.seconds, 3), limit, f"it lasts {measures.seconds:.3f} s; needed: {limit}"
    )


def _clipping(measures: Measures) -> Refusal | None:
    if measures.clipped < MOST_CLIPPED:
        return None
    limit = f"under {MOST_CLIPPED:.1%} of the samples"
    message = f"{measures.clipped:.2%} of it is clipped; needed: {limit}. Record it again at a lower level"
    return Refusal("clipping", round(measures.clipped, 5), limit, message)


def _level(measures: Measures) -> Refusal | None:
    if QUIETEST <= measures.level <= LOUDEST:
        return None
    limit = f"{QUIETEST:g} to {LOUDEST:g} dBFS"
    mend = "nearer to the microphone" if measures.level < QUIETEST else "at a lower level"
    message = f"its level is {measures.level:.1f} dBFS; needed: {limit}. Record it again {mend}"
    return Refusal("level", round(measures.level, 1), limit, message)


def _speech(measures: Measures) -> Refusal | None:
    if measures.active >= LEAST_ACTIVE:
        return None
    limit = f"at least {LEAST_ACTIVE:.0%}"
    message = f"in {measures.active:.0%} of it something is heard; needed: {limit}. Speak without long pauses"
    return Refusal("silence", round(measures.active, 3), limit, message)


def _noise(measures: Measures) -> Refusal | None:
    if measures.contrast >= LEAST_CONTRAST:
        return None
    limit = f"at least {LEAST_CONTRAST:g} dB"
    message = (
        f"between its loud and its quiet moments there are {measures.contrast:.1f} dB; needed: {limit}. "
        "Record it in a quiet room, without music"
    )
    return Refusal("noise", round(measures.contrast, 1), limit, message)
