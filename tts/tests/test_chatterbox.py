"""The real engine's own code, on a pretended torch and package: voices, failures of the card, stopping.

The package itself is tested by `./dev test-tts-real`; what a CPU never does, such as running out of a card's memory,
is tested here.
"""

import contextlib
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice_tts.engine import chatterbox
from sluice_tts.engine.base import (
    BadReferenceError,
    BrokenError,
    OutOfMemoryError,
    StoppedError,
    UnavailableError,
)
from sluice_tts.voices.store import Voice
from sounds import reference


class CardFullError(RuntimeError):
    """Torch's."""


class Part:
    """A module of the model: calls what is hooked before it works."""

    def __init__(self) -> None:
        self.hooks: list[Callable[..., None]] = []

    def register_forward_pre_hook(self, hook: Callable[..., None]) -> None:
        self.hooks.append(hook)

    def __call__(self) -> None:
        for hook in self.hooks:
            hook(self, ())


class Conds:
    """What is computed from a reference: here its file's name."""

    def __init__(self, of: str) -> None:
        self.of = of

    def save(self, path: Path) -> None:
        path.write_text(self.of)

    @classmethod
    def load(cls, path: Path, map_location: str) -> "Conds":
        assert map_location == "cuda"
        return cls(path.read_text())

    def to(self, _: str) -> "Conds":
        return self


class Model:
    """The package's model; `step` is what happens at a token."""

    def __init__(self) -> None:
        self.conds: Conds | None = Conds("built-in")
        self.t3 = types.SimpleNamespace(tfmr=Part())
        self.s3gen = types.SimpleNamespace(flow=Part(), mel2wav=Part())
        self.said: list[tuple[str, str]] = []
        self.prepared: list[str] = []
        self.step: Callable[[], None] = lambda: None

    def prepare_conditionals(self, path: str) -> None:
        self.prepared.append(Path(path).stem)
        if path.endswith("short.wav"):
            raise AssertionError("Audio prompt must be longer than 5 seconds!")
        self.conds = Conds(Path(path).stem)

    def generate(self, text: str) -> Any:
        self.t3.tfmr()
        self.step()
        assert self.conds is not None
        self.said.append((self.conds.of, text))
        return types.SimpleNamespace(squeeze=lambda _: types.SimpleNamespace(cpu=Numbers))


class Numbers:
    """A tensor on its way out."""

    def numpy(self) -> "np.ndarray[Any, Any]":
        return np.ones(2400)


class Card:
    """The pretended card, with the engine on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.free = 0
        self.emptied = 0
        self.model = Model()
        self.engine = chatterbox.Chatterbox("cuda", lambda: folder, folder / "cache", 2)

    def voice(self, name: str) -> Voice:
        path = self.folder / f"{name}.wav"
        path.write_bytes(reference())
        return Voice(name, path, name)

    def speak(self, name: str, stopped: Callable[[], bool] = lambda: False) -> None:
        assert len(self.engine.speak("Hello.", self.voice(name), 1, stopped)) == 2400

    def torch(self) -> Any:
        def empty() -> None:
            self.emptied += 1

        cuda = types.SimpleNamespace(
            is_available=lambda: True, empty_cache=empty, mem_get_info=lambda: (self.free, 8 << 30)
        )
        return types.SimpleNamespace(
            OutOfMemoryError=CardFullError,
            inference_mode=contextlib.nullcontext,
            manual_seed=lambda _: None,
            cuda=cuda,
        )


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    made = Card(tmp_path)
    package = types.SimpleNamespace(
        ChatterboxTurboTTS=types.SimpleNamespace(from_local=lambda *_: made.model), Conditionals=Conds
    )
    monkeypatch.setattr(chatterbox, "_imported", lambda: (made.torch(), package))
    monkeypatch.setattr(chatterbox, "version", lambda _: "0")
    tensors = types.SimpleNamespace(SafetensorError=type("SafetensorError", (Exception,), {}))
    monkeypatch.setitem(sys.modules, "safetensors", tensors)
    made.engine.load()
    return made


def test_the_voice_is_set_before_every_piece(card: Card) -> None:
    for name in ("ann", "bob", "ann"):
        card.speak(name)
    card.engine.speak("Hello.", Voice("default", None, "built-in"), 1, lambda: False)
    assert [voice for voice, _ in card.model.said] == ["ann", "bob", "ann", "built-in"]
    assert card.model.prepared == ["ann", "bob"], "what is computed of a voice is kept"
    assert card.engine.built_in


def failing_times(times: int, error: Exception) -> Callable[[], None]:
    left = [error] * times

    def step() -> None:
        if left:
            raise left.pop()

    return step


def test_a_full_card_is_tried_once_more_with_what_was_kept_given_back(card: Card) -> None:
    card.model.step = failing_times(1, CardFullError("CUDA out of memory"))
    card.speak("ann")
    assert card.emptied == 1
    assert card.model.prepared == ["ann"], "from disk"


def test_a_card_that_stays_full(card: Card) -> None:
    card.model.step = failing_times(2, CardFullError("CUDA out of memory"))
    with pytest.raises(OutOfMemoryError):
        card.speak("ann")
    assert not card.engine.has_room()
    card.free = 2 << 30
    assert card.engine.has_room()
    card.speak("ann")


@pytest.mark.parametrize(
    "words", ["CUDA error: device-side assert triggered", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"]
)
def test_a_card_that_is_lost(card: Card, words: str) -> None:
    card.model.step = failing_times(1, RuntimeError(words))
    with pytest.raises(BrokenError):
        card.speak("ann")


def test_other_failures_stay_what_they_are(card: Card) -> None:
    card.model.step = failing_times(1, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes"):
        card.speak("ann")


def test_it_stops_at_the_next_token(card: Card) -> None:
    with pytest.raises(StoppedError):
        card.speak("ann", lambda: True)
    assert card.model.said == []
    card.speak("ann")


def test_references_that_will_not_do(card: Card) -> None:
    with pytest.raises(BadReferenceError, match="longer than 5 seconds"):
        card.speak("short")
    with pytest.raises(BadReferenceError, match="gone"):
        card.engine.speak("Hello.", Voice("eve", card.folder / "eve.wav", "eve"), 1, lambda: False)


def test_the_warm_up_speaks_with_nobodys_voice(card: Card) -> None:
    card.engine.warm_up()
    assert card.model.said == [("reference", "Ready.")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("Error(s) in loading state_dict for T3:\n size mismatch"), "is of another model"),
        (OSError("Can't load tokenizer"), "cannot be read: Can't load tokenizer"),
        (KeyError("model"), "cannot be read"),
    ],
)
def test_checkpoints_that_will_not_do(
    card: Card, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def from_local(*_: object) -> None:
        raise error

    package = types.SimpleNamespace(ChatterboxTurboTTS=types.SimpleNamespace(from_local=from_local))
    monkeypatch.setattr(chatterbox, "_imported", lambda: (card.torch(), package))
    with pytest.raises(UnavailableError, match=reason):
        card.engine.load()


def test_few_prepared_convolutions_are_kept(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LRU_CACHE_CAPACITY", raising=False)
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    card.engine.load()
    assert os.environ["LRU_CACHE_CAPACITY"] == "1"
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "64", "what is set already stays"


def test_without_the_package(tmp_path: Path) -> None:
    engine = chatterbox.Chatterbox("cpu", lambda: tmp_path, tmp_path, 2)
    with pytest.raises(UnavailableError, match="the engine is not installed"):
        engine.load()
