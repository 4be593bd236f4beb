"""The real package: a random checkpoint, fetched through a simulated hub, loaded by the package's own code, speaking.

`./dev test-tts-real` runs this; it needs requirements/engine.txt, six gigabytes of disk, and minutes.
"""

import contextlib
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from house import Process
from hub import COMMIT, GOOD, Hub
from running import body, error
from sounds import decoded, reference

HERE = Path(__file__).resolve().parent
TTS = HERE.parent
TEXT = "Hello there [laugh], this is a test."
REQUESTS = 50
SETTLED = 20  # of them, after which the largest pieces have been made
GROWTH = 1.0  # MB a request, by a straight line through the rest: convolutions kept for each length are near 4


def environment(folder: Path, **more: str) -> dict[str, str]:
    """For a process that sees the simulated hub and nothing else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TTS_", "HF_"))}
    return {
        **kept,
        "PYTHONPATH": f"{TTS / 'src'}:{HERE}",
        "TTS_STATE_DIR": str(folder),
        "TTS_DEVICE": "cpu",
        "TTS_PORT": "0",
        "TTS_CACHED_VOICES": "2",
        "HF_HOME": str(folder / "home"),
        "HF_HUB_CACHE": str(folder / "hub"),
        "OMP_NUM_THREADS": "2",
        # what is freed goes back to the system at once: else its own high-water mark hides what is kept
        "MALLOC_MMAP_THRESHOLD_": "131072",
        "MALLOC_TRIM_THRESHOLD_": "131072",
        "PYTHONWARNINGS": "ignore",
        **more,
    }


def run(script: str, *arguments: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(HERE / script), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The service's state."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Hub]:
    """A hub that has the random checkpoint."""
    files = tmp_path_factory.mktemp("checkpoint")
    made = run("checkpoint.py", str(files), env=environment(folder))
    assert made.returncode == 0, made.stderr
    with Hub(files) as running:
        yield running


@pytest.fixture(scope="module")
def fetched(hub: Hub, folder: Path) -> Path:
    """What `tts fetch` brought."""
    done = run("shrunk.py", "fetch", env=environment(folder, HF_ENDPOINT=hub.url, HF_TOKEN=GOOD))
    assert done.returncode == 0, done.stderr
    assert COMMIT in done.stdout
    assert "%|" in done.stderr, "a progress bar"
    return folder


class Service:
    """A running one, and a client for it."""

    def __init__(self, process: Process, url: str) -> None:
        self.process = process
        self.client = httpx.Client(base_url=url, timeout=600, trust_env=False)

    def speak(self, text: str = TEXT, **members: Any) -> httpx.Response:
        return self.client.post("/v1/audio/speech", json=body(text, **members))

    def megabytes(self) -> float:
        """What the process holds in memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6


@pytest.fixture(scope="module")
def service(fetched: Path, hub: Hub) -> Iterator[Service]:
    """Started after the fetch, with a hub that must not be asked any more."""
    before = len(hub.asked)
    env = environment(fetched, HF_ENDPOINT=hub.url)
    with contextlib.ExitStack() as ends:
        process = ends.enter_context(Process([sys.executable, str(HERE / "shrunk.py"), "serve"], **env))
        running = Service(process, process.url("listening on"))
        ends.callback(running.client.close)
        first = running.client.get("/health")
        assert (first.status_code, first.json()["status"]) == (503, "loading")
        process.wait_for("ready after")
        assert running.client.get("/health").status_code == 200
        for number in range(4):
            files = {"file": ("a.wav", reference(6.0, 100 + 30 * number))}
            answer = running.client.post("/v1/audio/voices", data={"name": f"voice{number}"}, files=files)
            assert answer.status_code == 201, answer.text
        yield running
        assert len(hub.asked) == before, "a service that runs asks no hub"


def test_from_pretrained_through_the_hub(hub: Hub, tmp_path: Path) -> None:
    done = run("pretrained.py", env=environment(tmp_path, HF_ENDPOINT=hub.url, HF_TOKEN=GOOD))
    assert done.returncode == 0, done.stderr
    assert "rate 24000" in done.stdout


def test_from_pretrained_with_a_wrong_token(hub: Hub, tmp_path: Path) -> None:
    done = run("pretrained.py", env=environment(tmp_path, HF_ENDPOINT=hub.url, HF_TOKEN="hf_wrong"))
    assert done.returncode != 0
    assert "GatedRepoError" in done.stderr


def test_what_tts_fetch_brought_is_what_from_pretrained_needs(fetched: Path) -> None:
    env = environment(fetched, HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1", HF_TOKEN=GOOD)
    done = run("pretrained.py", env=env)
    assert "rate 24000" in done.stdout, done.stderr


@pytest.mark.parametrize("kind", ["wav", "mp3", "opus", "aac", "flac", "pcm"])
def test_it_speaks(service: Service, kind: str) -> None:
    answer = service.speak(voice="voice0", response_format=kind, seed=1)
    assert answer.status_code == 200, answer.text
    sound = decoded(answer.content, kind)
    assert 0.1 < sound.seconds < 41
    assert np.isfinite(sound.samples).all()
    assert float(np.abs(sound.samples).max()) > 0.001


def test_a_seed_gives_the_same_sound_and_voices_differ(service: Service) -> None:
    first, again, other = (
        service.speak(voice=voice, seed=5, response_format="pcm").content for voice in ("voice0", "voice0", "voice1")
    )
    assert first == again
    assert first != other


def test_no_voice_of_its_own(service: Service) -> None:
    answer = service.speak(voice="default")
    assert (answer.status_code, error(answer)["code"]) == (404, "voice_not_found")


def test_a_client_that_leaves_stops_it(service: Service) -> None:
    long = "This is a sentence that goes on for a while. " * 60
    with service.client.stream("POST", "/v1/audio/speech", json=body(long, voice="voice0")) as answer:
        next(answer.iter_raw())
    before = metric(service, "tts_pieces_total")
    assert service.speak(voice="voice0").status_code == 200
    assert metric(service, "tts_pieces_total") - before <= 2, "the rest of the long one was not made"


def metric(service: Service, name: str) -> float:
    lines = service.client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_memory_stays_over_many_requests(service: Service) -> None:
    """Four voices in turn, of which two are kept in memory: the others come from disk. The seeds' lengths differ."""
    for number in range(8):
        assert service.speak(voice=f"voice{number % 4}", seed=number).status_code == 200
    held = []
    for number in range(8, 8 + REQUESTS):
        assert service.speak(voice=f"voice{number % 4}", seed=number).status_code == 200
        held.append(service.megabytes())
    settled = held[SETTLED:]
    slope = statistics.linear_regression(range(len(settled)), settled).slope
    path = " ".join(f"{megabytes:.0f}" for megabytes in held[::7])
    sys.stderr.write(f"\nmemory in MB at every seventh request: {path}; at last {slope:+.2f} a request\n")
    assert slope < GROWTH
