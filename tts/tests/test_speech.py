"""Speaking: voices, seeds, streams, the line, clients that leave, engines that fail."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import httpx
import numpy as np
import pytest

from conftest import Start
from doubles import WAIT, Held, Told
from running import Running, body, error
from sluice_tts.audio.sound import Samples
from sluice_tts.engine.base import BrokenError, OutOfMemoryError
from sluice_tts.engine.standin import frequency
from sounds import decoded, reference

LONG = (
    "First comes a short sentence. "
    + "Then a longer one follows that fills a piece of its own, with many words. " * 8
)


def test_the_voice_and_the_text_decide_the_sound(service: Running) -> None:
    assert service.upload("ann", reference(6.0, 110)).status_code == 201
    assert service.upload("bob", reference(7.0, 180)).status_code == 201
    heard = {
        voice: decoded(service.speak(voice=voice, response_format="wav").content, "wav")
        for voice in ("ann", "bob", "default")
    }
    pitches = {round(sound.frequency) for sound in heard.values()}
    assert len(pitches) == 3
    other = decoded(service.speak("Another text.", voice="ann", response_format="wav").content, "wav")
    assert abs(other.frequency - heard["ann"].frequency) > 1


def test_voices_are_not_mixed_up_under_load(start: Start, tmp_path: Path) -> None:
    engine = Told(tmp_path)
    service = start(engine)
    names = [f"voice{number}" for number in range(5)]
    for number, name in enumerate(names):
        assert service.upload(name, reference(6.0, 100 + 20 * number)).status_code == 201
    alone = {name: service.speak(LONG, voice=name, response_format="pcm", seed=1).content for name in names}

    def speak(name: str) -> bytes:
        answer = service.speak(LONG, voice=name, response_format="pcm", seed=1)
        while answer.status_code == 429:
            answer = service.speak(LONG, voice=name, response_format="pcm", seed=1)
        return answer.content

    with ThreadPoolExecutor(10) as pool:
        together = list(pool.map(speak, names * 4))
    assert together == [alone[name] for name in names * 4]
    assert len(engine.threads) == 1


def test_a_seed_gives_the_same_sound_and_none_another(service: Running) -> None:
    spoken = [service.speak(LONG, seed=seed, response_format="flac").content for seed in (7, 7, 8, None, None)]
    assert spoken[0] == spoken[1]
    assert len(set(spoken)) == 4


@pytest.mark.parametrize("voice", ["default", {"id": "default"}, "alloy"])
def test_a_voice_by_name_by_id_and_by_alias(start: Start, voice: object) -> None:
    service = start(voice_aliases={"alloy": "default"})
    assert service.speak(voice=voice).status_code == 200


def test_every_model_name_of_openai_is_this_model(service: Running) -> None:
    for model in ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "chatterbox-turbo"):
        assert service.speak(model=model).status_code == 200
    assert error(service.speak(model="gpt-4"))["code"] == "model_not_found"


def test_members_that_are_null_or_unknown_are_passed_over(service: Running) -> None:
    sent = {**body(), "speed": None, "response_format": None, "lang_code": "en", "instructions": "Whisper."}
    assert service.client.post("/v1/audio/speech", json=sent).status_code == 200


@pytest.mark.parametrize("kind", ["mp3", "wav", "opus"])
def test_server_sent_events_carry_the_same_sound(service: Running, kind: str) -> None:
    answer = service.speak(LONG, stream_format="sse", response_format=kind, seed=3)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    assert [event["type"] for event in events[:-1]] == ["speech.audio.delta"] * (len(events) - 1)
    assert max(len(line) for line in answer.text.splitlines()) < 64 << 10
    sound = decoded(b"".join(base64.b64decode(event["audio"]) for event in events[:-1]), kind)
    assert sound.seconds == pytest.approx(0.06 * len(LONG), rel=0.05)
    usage = events[-1]["usage"]
    assert events[-1]["type"] == "speech.audio.done"
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens"] == pytest.approx(25 * 0.06 * len(LONG), rel=0.05)


def test_the_first_piece_is_heard_before_the_second_is_made(start: Start, tmp_path: Path) -> None:
    engine = Held(tmp_path)
    service = start(engine)
    engine.allowed.release()
    with service.client.stream("POST", "/v1/audio/speech", json=body(LONG, response_format="pcm")) as answer:
        assert answer.status_code == 200
        sound = answer.iter_raw()
        first = next(sound)
        assert engine.begun.acquire(timeout=WAIT)
        assert engine.begun.acquire(timeout=WAIT)  # it works on the second, and may not finish it
        assert any(first)
        engine.allowed.release(20)
        rest = b"".join(sound)
    assert len(first) + len(rest) == pytest.approx(48_000 * 0.06 * len(LONG), rel=0.05)


def test_who_comes_when_the_line_is_full_is_sent_away_with_a_time(start: Start, tmp_path: Path) -> None:
    engine = Held(tmp_path)
    service = start(engine, max_queue=2)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(service.speak) for _ in range(4)]
        refused = next(as_completed(asked, WAIT)).result()
        assert (refused.status_code, error(refused)["code"]) == (429, "queue_full")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert service.client.get("/health").status_code == 200
        engine.allowed.release(20)
        assert sorted(job.result().status_code for job in asked) == [200, 200, 200, 429]


def test_a_client_that_leaves_while_it_is_spoken_to_stops_the_synthesis(start: Start, tmp_path: Path) -> None:
    engine = Held(tmp_path)
    service = start(engine)
    engine.allowed.release()
    with service.client.stream("POST", "/v1/audio/speech", json=body(LONG, response_format="pcm")) as answer:
        parts = answer.iter_raw()
        next(parts)
        assert engine.begun.acquire(timeout=WAIT)
        assert engine.begun.acquire(timeout=WAIT)
    assert engine.stopped.wait(WAIT)
    engine.allowed.release(5)
    assert service.speak().status_code == 200
    assert service.metric("tts_client_aborts_total") == 1


def test_a_client_that_leaves_before_the_first_sound_stops_it_too(start: Start, tmp_path: Path) -> None:
    engine = Held(tmp_path)
    service = start(engine)
    with service.ask():
        assert engine.begun.acquire(timeout=WAIT)
    assert engine.stopped.wait(WAIT)
    engine.allowed.release(5)
    assert service.speak().status_code == 200


def test_a_client_that_leaves_the_line_is_never_spoken_for(start: Start, tmp_path: Path) -> None:
    began, go = threading.Event(), threading.Event()

    def step(text: str) -> None:
        if text == "The first.":
            began.set()
            assert go.wait(WAIT)

    engine = Told(tmp_path, step)
    service = start(engine)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(service.speak, "The first.")
        assert began.wait(WAIT)
        with service.ask("The second."):
            service.wait_waiting(1)
        service.wait_waiting(0)
        go.set()
        assert first.result().status_code == 200
    assert service.speak("The third.").status_code == 200
    assert [text for _, text in engine.spoken] == ["The first.", "The third."]


class Failing:
    """A step that fails at its n-th call, and only then."""

    def __init__(self, error: Exception, at: int) -> None:
        self.error, self.at, self.calls = error, at, 0

    def __call__(self, _: str) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise self.error


def test_a_failure_before_the_first_sound_has_a_status(start: Start, tmp_path: Path) -> None:
    service = start(Told(tmp_path, Failing(RuntimeError("secret of the engine"), 1)))
    answer = service.speak()
    assert (answer.status_code, error(answer)["code"]) == (500, "engine_error")
    assert "secret" not in answer.text
    assert service.speak().status_code == 200


def test_a_sound_that_breaks_in_the_middle_looks_broken(start: Start, tmp_path: Path) -> None:
    service = start(Told(tmp_path, Failing(RuntimeError("broke"), 3)))
    with pytest.raises(httpx.RemoteProtocolError):
        service.speak(LONG)
    events = start(Told(tmp_path, Failing(RuntimeError("broke"), 3))).speak(LONG, stream_format="sse").text
    assert '"error":{' in events.split("\n\n")[-2]
    assert "speech.audio.done" not in events


def test_used_up_memory_is_unhealthy_until_there_is_room(start: Start, tmp_path: Path) -> None:
    engine = Told(tmp_path, Failing(OutOfMemoryError("full"), 1))
    engine.room = False
    service = start(engine, memory_retry=0.05)
    answer = service.speak()
    assert (answer.status_code, error(answer)["code"]) == (503, "out_of_memory")
    assert int(answer.headers["retry-after"]) >= 1
    assert service.wait("out_of_memory").status_code == 503
    assert service.speak().status_code == 503
    engine.room = True
    service.wait("ready")
    assert service.speak().status_code == 200


def test_what_only_a_restart_mends_ends_the_process(start: Start, tmp_path: Path) -> None:
    service = start(Told(tmp_path, Failing(BrokenError("card lost"), 1)))
    assert error(service.speak())["code"] == "broken"
    assert service.server.should_exit
    assert service.server.service.worker.condition().state == "broken"


def test_a_piece_that_never_ends_is_unhealthy(start: Start, tmp_path: Path) -> None:
    engine = Held(tmp_path)
    service = start(engine, piece_timeout=0.05)
    with ThreadPoolExecutor(1) as pool:
        spoken = pool.submit(service.speak)
        service.wait("stuck")
        engine.allowed.release(5)
        assert spoken.result().status_code == 200
        service.wait("ready")


def test_a_sound_that_is_no_sound_is_a_failure(start: Start, tmp_path: Path) -> None:
    class Mute(Told):
        def speak(self, *_: object) -> Samples:
            return np.full(100, np.nan, np.float32)

    assert error(start(Mute(tmp_path)).speak())["code"] == "engine_error"


def test_the_pitch_is_the_stand_ins(service: Running) -> None:
    sound = decoded(service.speak("Hello there.", response_format="wav").content, "wav")
    assert sound.frequency == pytest.approx(frequency("Hello there.", 220.0), abs=2)
