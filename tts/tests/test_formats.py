"""Every format at several speeds, decoded and measured; and that joints do not click."""

import itertools
import json
import struct

import numpy as np
import pytest

from running import Running, error
from sluice_tts.audio.formats import FORMATS
from sluice_tts.audio.sound import edged
from sluice_tts.engine.standin import frequency
from sluice_tts.web.render import Render
from sluice_tts.work.job import Sound
from sounds import decoded

TEXT = "The quick brown fox jumps over it."
LENGTH = 0.06 * len(TEXT)  # seconds: the stand-in's
TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
CONTAINERS = {name: name for name in FORMATS} | {"opus": "ogg"}
LONG = " ".join(f"Sentence number {number} is here to make the text a longer one." for number in range(9))


@pytest.mark.parametrize(
    ("kind", "speed"),
    [*itertools.product(FORMATS, (0.25, 1.0, 4.0)), *(("pcm", speed) for speed in (0.3, 0.5, 1.3, 2.0))],
)
def test_duration_rate_and_pitch(service: Running, kind: str, speed: float) -> None:
    answer = service.speak(TEXT, response_format=kind, speed=speed, seed=1)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == TYPES[kind]
    assert int(answer.headers["content-length"]) == len(answer.content)
    sound = decoded(answer.content, kind)
    assert sound.container == CONTAINERS[kind]
    assert sound.rate == (48_000 if kind == "opus" else 24_000)  # Opus always decodes to 48 kHz
    assert sound.seconds == pytest.approx(LENGTH / speed, rel=0.02, abs=0.12)
    assert sound.frequency == pytest.approx(frequency(TEXT, 220.0), rel=0.03)
    middle = sound.samples[len(sound.samples) // 4 : 3 * len(sound.samples) // 4]
    assert float(np.sqrt(np.mean(middle**2))) == pytest.approx(
        0.4 / np.sqrt(2), rel=0.15
    )  # the tone's, whatever a peak is


@pytest.mark.parametrize("kind", FORMATS)
def test_a_long_text_is_one_stream(service: Running, kind: str) -> None:
    answer = service.speak(LONG, response_format=kind)
    assert answer.headers.get("transfer-encoding") == "chunked"
    sound = decoded(answer.content, kind)
    assert sound.seconds == pytest.approx(0.06 * len(LONG), rel=0.05)


def test_mp3_is_what_one_gets_without_asking(service: Running) -> None:
    assert service.speak(TEXT).headers["content-type"] == "audio/mpeg"


def test_a_wav_head_has_the_length_where_it_is_known(service: Running) -> None:
    short = service.speak(TEXT, response_format="wav").content
    assert struct.unpack_from("<I", short, 4)[0] == len(short) - 8
    assert struct.unpack_from("<I", short, 40)[0] == len(short) - 44
    assert struct.unpack_from("<I", service.speak(LONG, response_format="wav").content, 40)[0] == 0xFFFF_FFFF


@pytest.mark.parametrize("speed", [0.249, 4.001, 0, -1, "1", True, [], {}, 1e400])
def test_speeds_that_are_none(service: Running, speed: object) -> None:
    answer = service.client.post(
        "/v1/audio/speech",
        content=f'{{"model":"tts-1","voice":"default","input":"x","speed":{json_of(speed)}}}',
        headers={"content-type": "application/json"},
    )
    assert answer.status_code == 400
    assert error(answer)["param"] == "speed"


def json_of(value: object) -> str:
    """As JSON; a number that is too large for a float is written out."""
    return "1e400" if value == float("inf") else json.dumps(value)


@pytest.mark.parametrize("kind", ["wav", "flac", "pcm"])
def test_joints_do_not_click(kind: str) -> None:
    """A low tone whose pieces end anywhere in its wave: no step between samples is larger than the tone's own."""
    tone = 0.5 * np.sin(2 * np.pi * 100 * np.arange(24_000) / 24_000 + 1.0).astype(np.float32)
    pieces = [tone[:length] for length in (9_000, 9_055, 9_111, 9_177)]
    render = Render(FORMATS[kind], 1.0)
    sounds = [Sound(piece, pause) for piece, pause in zip(pieces, (0, 0.03, 0.1, 0), strict=True)]
    data = b"".join([render.add(sound) for sound in sounds] + [render.end()])
    steps = np.abs(np.diff(decoded(data, kind).samples))
    natural = np.abs(np.diff(tone)).max() + 0.5 * np.pi / (2 * 120)  # the tone's, and the fade's at the tone's top
    assert steps.max() <= natural
    assert np.abs(np.diff(np.concatenate(pieces))).max() > 2 * natural  # without the fades it would click


def test_edges_rise_from_silence_and_leave_the_middle() -> None:
    flat = np.ones(4_800, np.float32)
    faded = edged(flat)
    assert faded[0] < 0.001 > faded[-1]
    assert (faded[200:-200] == 1).all()
    assert all(a <= b for a, b in itertools.pairwise(faded[:120]))
    assert len(edged(flat[:1])) == 1
    assert len(edged(flat[:0])) == 0
