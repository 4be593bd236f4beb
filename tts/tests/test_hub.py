"""The weights: fetched through a simulated hub, found again without it, and every way in which that can fail."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import COMMIT, GOOD, STRANGER, Hub
from sluice_tts.engine.base import UnavailableError
from sluice_tts.hub.fetch import FetchError, fetch
from sluice_tts.hub.files import WEIGHTS, broken
from sluice_tts.hub.first import FirstFetch
from sluice_tts.hub.token import TokenError, token
from sluice_tts.hub.weights import Weights
from sluice_tts.settings import Settings, load

SOURCE = Path(__file__).resolve().parents[1] / "src"


def safetensors(size: int) -> bytes:
    """A file of one tensor with so many bytes."""
    head = json.dumps({"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    return len(head).to_bytes(8, "little") + head + b"\x05" * size


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    files = tmp_path / "repository"
    files.mkdir()
    for number, name in enumerate(WEIGHTS):
        (files / name).write_bytes(safetensors(1000 + number))
    (files / "vocab.json").write_text("{}")
    (files / "README.md").write_text("not needed")
    with Hub(files) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_TOKEN", GOOD)
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(state_dir=tmp_path / "state")


def test_what_is_fetched_is_found_without_a_request(hub: Hub, settings: Settings) -> None:
    folder = fetch(settings)
    assert folder.name == COMMIT
    assert not (folder / "README.md").exists()
    asked = len(hub.asked)
    assert Weights(settings).folder() == folder
    assert len(hub.asked) == asked
    assert list(broken(folder, thorough=True)) == []


def test_a_second_fetch_downloads_nothing(hub: Hub, settings: Settings) -> None:
    fetch(settings)
    hub.asked.clear()
    fetch(settings)
    assert not [line for line in hub.asked if line.startswith("GET") and "resolve" in line]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("hf_wrong", "token is not accepted"),
        (STRANGER, "licence is not accepted yet: open huggingface.co/ResembleAI/chatterbox-turbo"),
    ],
)
def test_tokens_that_will_not_do(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch, given: str, reason: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", given)
    with pytest.raises(FetchError, match=reason) as raised:
        fetch(settings)
    assert given not in str(raised.value)
    assert hub.asked


def test_without_a_token_nothing_is_asked(hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(TokenError, match="HF_TOKEN"):
        fetch(settings)
    assert hub.asked == []


def test_a_revision_that_is_not_there(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match='no revision "v9"'):
        fetch(load(state_dir=tmp_path / "state", revision="v9"))
    assert hub.asked


def test_no_network(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", GOOD)
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch(settings)


def test_a_file_that_arrives_broken_is_removed_and_comes_anew(hub: Hub, settings: Settings) -> None:
    hub.damage = {WEIGHTS[1]}
    with pytest.raises(FetchError, match=f"{WEIGHTS[1]}: its checksum is not the hub's"):
        fetch(settings)
    with pytest.raises(UnavailableError, match=f"has no {WEIGHTS[1]}; run `tts fetch`"):
        Weights(settings).folder()
    hub.damage = set()
    assert fetch(settings) == Weights(settings).folder()


def test_a_repository_of_something_else(hub: Hub, settings: Settings) -> None:
    (hub.files / WEIGHTS[0]).unlink()
    with pytest.raises(FetchError, match=f"has no {WEIGHTS[0]}"):
        fetch(settings)


def test_a_service_that_fetches_itself(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    weights = FirstFetch(load(state_dir=tmp_path / "state"))
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(UnavailableError, match="fetching them failed: the token is not accepted"):
        weights.folder()
    monkeypatch.setenv("HF_TOKEN", GOOD)
    assert weights.folder().name == COMMIT
    hub.asked.clear()
    assert weights.folder().name == COMMIT
    assert hub.asked == []


def test_before_the_first_fetch(settings: Settings) -> None:
    with pytest.raises(UnavailableError, match="run `tts fetch` once"):
        Weights(settings).folder()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:-1], "it has {cut} bytes, not {whole}"),
        (lambda data: data[:40], "only its beginning"),
        (lambda data: data[:3], "no safetensors file"),
        (lambda _: b"", "no safetensors file"),
        (lambda data: data[:8] + b"x" + data[9:], "head cannot be read"),
        (lambda data: b"\xff" * 8 + data[8:], "no safetensors file"),
        (lambda _: (2).to_bytes(8, "little") + b"[]", "head cannot be read"),
        (lambda _: b"version https://git-lfs.github.com/spec/v1\n", "no safetensors file"),
    ],
)
def test_broken_files(tmp_path: Path, change: object, reason: str) -> None:
    assert callable(change)
    for name in WEIGHTS:
        (tmp_path / name).write_bytes(safetensors(1000))
    (tmp_path / "vocab.json").write_text("{}")
    whole = (tmp_path / WEIGHTS[0]).read_bytes()
    (tmp_path / WEIGHTS[0]).write_bytes(change(whole))
    with pytest.raises(UnavailableError, match=reason.format(cut=len(whole) - 1, whole=len(whole))):
        Weights(load(checkpoint=tmp_path)).folder()


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="there is no folder"):
        Weights(load(checkpoint=tmp_path / "nothing")).folder()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "and nothing else"),
        (b"two words", "and nothing else"),
        (b"\xff\xfe", "something else"),
        (None, "cannot be read"),
    ],
)
def test_token_files(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TokenError, match=reason):
        token(file)
    file.write_text(f"{GOOD}\n")
    assert token(file) == GOOD
    shutil.rmtree(tmp_path)
