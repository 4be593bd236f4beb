"""examples/speak.py as a person runs it: text first, then its speech, through the real sluice."""

import subprocess
import sys
from pathlib import Path

import pytest

from house import ROOT, House
from sounds import decoded


def run(house: House, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "examples/speak.py"), "--url", house.url, *arguments]
    environment = {"PATH": "/nonexistent"}  # no player: it writes a file
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input="From a pipe?",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_text_and_then_its_speech(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        done = run(house, tmp_path, "--out", "said.flac", "Why is the sky blue?")
        assert (done.returncode, done.stderr) == (0, "written to said.flac\n")
        text = done.stdout.strip()
        assert text.startswith("Why is the sky blue? 1.")
        sound = decoded((tmp_path / "said.flac").read_bytes(), "flac")
        assert sound.seconds == pytest.approx(0.06 * len(text), rel=0.1)
        assert [entry.who for entry in house.work()] == ["text"] + ["speech"] * (len(house.work()) - 1)

        piped = run(house, tmp_path, "-")
        assert (piped.returncode, piped.stderr) == (0, "written to answer.mp3\n")
        assert decoded((tmp_path / "answer.mp3").read_bytes(), "mp3").seconds > 5

        nobody = run(house, tmp_path, "--voice", "nobody", "Hello?")
        assert nobody.returncode == 1
        assert 'no voice "nobody"; there are: default' in nobody.stderr


def test_a_house_that_is_not_there(tmp_path: Path) -> None:
    house = House.__new__(House)
    house.url = "http://127.0.0.1:9"
    done = run(house, tmp_path, "Hello?")
    assert done.returncode == 1
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr
