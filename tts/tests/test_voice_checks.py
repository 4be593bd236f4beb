"""What is let in as a reference: each limit from both sides, in every figure that is refused."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sluice_tts.engine.reference import buzz
from sluice_tts.voices.check import refusals
from sluice_tts.voices.decode import NoRecordingError, Recording, decode
from sluice_tts.voices.measure import measure
from sluice_tts.voices.mend import mended
from sluice_tts.voices.mend import wav as written
from sounds import Samples, wav

RATE = 16_000


def checks(recording: Recording) -> set[str]:
    return {refusal.check for refusal in refusals(recording)}


def of(samples: Samples, rate: int = RATE) -> Recording:
    return Recording(np.asarray(samples, np.float32)[np.newaxis, :], rate, "WAV PCM_16", plain=True)


def at_level(decibels: float) -> Samples:
    sound = buzz(6.0)
    return np.asarray(sound * 10 ** (decibels / 20) / math.sqrt(float(np.mean(sound**2))), np.float32)


def with_clipped(share: float) -> Samples:
    sound = buzz(6.0) * 0.5
    sound[: round(share * len(sound))] = 1.0
    return sound


def with_noise(decibels: float) -> Samples:
    """A tone of two levels, so many decibels apart, each half of the time."""
    time = np.arange(6 * RATE) / RATE
    tone = 0.2 * np.sin(2 * np.pi * 200 * time)
    quiet = (time * 5).astype(int) % 2 == 1
    return np.asarray(np.where(quiet, tone * 10 ** (-decibels / 20), tone), np.float32)


def heard_for(share: float) -> Samples:
    sound = np.asarray(0.1 * np.sin(np.arange(6 * RATE) / 10), np.float32)
    sound[round(share * len(sound)) :] = 0
    return sound


@pytest.mark.parametrize(
    ("make", "inside", "outside", "check"),
    [
        (buzz, 5.001, 5.0, "duration"),
        (buzz, 10.0, 10.001, "duration"),
        (at_level, -44.9, -45.1, "level"),
        (at_level, -12.0, -7.9, "level"),
        (with_clipped, 0.0009, 0.0011, "clipping"),
        (with_noise, 15.5, 14.5, "noise"),
        (heard_for, 0.52, 0.48, "silence"),
    ],
)
def test_each_limit_from_both_sides(
    make: Callable[[float], Samples], inside: float, outside: float, check: str
) -> None:
    assert check not in checks(of(make(inside)))
    assert check in checks(of(make(outside)))


def test_the_warm_ups_reference_will_do() -> None:
    assert refusals(of(buzz())) == []


def test_a_refusal_names_the_figure_and_the_limit() -> None:
    (refusal,) = refusals(of(buzz(4.2)))
    assert (refusal.check, refusal.measured) == ("duration", 4.2)
    assert "4.200 s" in refusal.message
    assert "more than 5 s, at most 10 s" in refusal.message


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (wav(buzz(6.0, rate=48_000), 48_000), {"sample_rate"}),
        (wav(np.stack([buzz(), buzz()], 1)), {"channels"}),
        (wav(buzz(), kind="FLAC"), {"format"}),
        (wav(buzz(6.0, rate=24_000), 24_000, "VORBIS", "OGG"), {"format", "sample_rate"}),
        (wav(buzz(), subtype="FLOAT"), {"format"}),
        (wav(buzz(), subtype="PCM_24"), set()),
        (wav(np.zeros(6 * RATE, np.float32)), {"level", "silence", "noise"}),
        (wav(np.full(6 * RATE, np.nan, np.float32), subtype="FLOAT"), {"format", "finite"}),
    ],
)
def test_forms(data: bytes, expected: set[str]) -> None:
    assert checks(decode(data)) == expected


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3", "OGG"])
def test_converting_mends_form(rate: int, kind: str) -> None:
    subtype = {"WAV": "PCM_16", "FLAC": "PCM_16", "MP3": "MPEG_LAYER_III", "OGG": "VORBIS"}[kind]
    sound = buzz(7.0, rate=rate)
    data = wav(np.stack([sound, sound], 1), rate, subtype, kind)
    recording = mended(decode(data))
    assert refusals(recording) == []
    assert refusals(decode(written(recording))) == []


def test_converting_trims_silence_and_cuts_in_a_pause() -> None:
    silence = np.zeros(2 * RATE, np.float32)
    assert mended(of(np.concatenate((silence, buzz(6.0), silence)))).samples.shape[1] / RATE == pytest.approx(
        6.1, abs=0.2
    )
    pause = np.zeros(RATE // 4, np.float32)
    cut = mended(of(np.concatenate((buzz(8.0), pause, buzz(8.0)))))
    assert 8.0 <= cut.samples.shape[1] / RATE <= 8.3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"RIFF", "no sound"),
        (b"\x00" * 4096, "no sound"),
        (b"#!/bin/sh\nrm -rf /\n" * 100, "no sound"),
        (b"GIF89a" + b"\x01" * 64, "no sound"),
        (wav(buzz())[:30], "no sound"),
        (wav(buzz(), 400_000), "samples a second"),
        (wav(np.zeros((1600, 12), np.float32)), "12 channels"),
        (wav(np.zeros(RATE * 3600, np.float32), kind="FLAC"), "more than 120 s"),
    ],
)
def test_what_is_no_recording(data: bytes, reason: str) -> None:
    with pytest.raises(NoRecordingError, match=reason):
        decode(data)


def test_a_head_that_promises_more_than_there_is_is_not_believed() -> None:
    data = bytearray(wav(buzz(6.0)))
    data[40:44] = b"\xff\xff\xff\x7f"
    assert decode(bytes(data)).mono().shape == (6 * RATE,)


SOUNDS = arrays.arrays(np.float32, st.integers(0, 3000), elements=st.floats(-2, 2, width=32))


@given(SOUNDS, st.sampled_from([8_000, 16_000, 48_000]))
def test_every_sound_has_figures(samples: Samples, rate: int) -> None:
    measures = measure(samples, rate)
    assert measures.seconds == len(samples) / rate
    assert 0 <= measures.clipped <= 1
    assert 0 <= measures.active <= 1
    assert measures.contrast >= 0
    assert -120 <= measures.level <= 6.1


@given(arrays.arrays(np.float32, st.integers(1, 500), elements=st.floats(width=32)))
def test_what_is_no_number_is_always_refused(samples: Samples) -> None:
    found = checks(of(samples))
    assert ("finite" in found) == (not np.isfinite(samples).all())
    assert found


@given(SOUNDS, st.sampled_from([8_000, 16_000, 22_050, 48_000]))
def test_converting_never_fails_and_always_gives_the_form(samples: Samples, rate: int) -> None:
    recording = mended(of(samples, rate))
    assert not checks(recording) & {"format", "sample_rate", "channels"}
    assert recording.samples.shape[1] <= 10 * RATE


@given(st.floats(-40, -14), st.floats(5.1, 9.9), st.floats(80, 300))
def test_a_good_recording_is_good_at_every_level_length_and_pitch(level: float, seconds: float, pitch: float) -> None:
    sound = buzz(seconds, pitch)
    scaled = sound * 10 ** (level / 20) / math.sqrt(float(np.mean(sound**2)))
    assert refusals(of(np.asarray(scaled, np.float32))) == []
