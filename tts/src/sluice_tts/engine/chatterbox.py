"""Chatterbox Turbo: the package's own code, kept on one thread, told which voice before every piece."""

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sluice_tts.audio.sound import Samples
from sluice_tts.engine.base import (
    BadReferenceError,
    BrokenError,
    OutOfMemoryError,
    StoppedError,
    UnavailableError,
)
from sluice_tts.engine.conditionals import Conditionals
from sluice_tts.engine.reference import buzz
from sluice_tts.voices.decode import Recording
from sluice_tts.voices.mend import wav
from sluice_tts.voices.store import Voice

_ROOM = 1 << 30  # bytes free on the card before it is tried again: a piece's own need, with air
# Convolutions on the CPU, of which the watermark has some on any device, are prepared for one length of sound each.
# torch and oneDNN each keep the last 1,024 prepared. Nearly every piece has a new length: 4 to 5 MB more, measured.
_PREPARED = {"LRU_CACHE_CAPACITY": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "1"}


class Chatterbox:
    """The real engine. `torch` and the package are imported by `load`: without them the rest still runs."""

    def __init__(self, device: str, weights: Callable[[], Path], cache: Path, cached_voices: int) -> None:
        """`weights`: the folder of the checkpoint, or UnavailableError."""
        self._device, self._weights = device, weights
        self._cache, self._cached_voices = cache, cached_voices
        self._model: Any = None
        self._built_in: Any = None
        self._stopped: Callable[[], bool] = lambda: False

    @property
    def name(self) -> str:
        """With the device."""
        return f"chatterbox-turbo on {self._device}"

    @property
    def built_in(self) -> bool:
        """Whether the checkpoint has a `conds.pt`."""
        return self._built_in is not None

    def load(self) -> None:
        """Reads the weights onto the device."""
        folder = self._weights()
        for variable, value in {"TQDM_DISABLE": "1", **_PREPARED}.items():  # a bar a token is no log
            os.environ.setdefault(variable, value)
        torch, package = _imported()
        if self._device.startswith("cuda") and not torch.cuda.is_available():
            raise UnavailableError("CUDA finds no card: is the driver loaded (nvidia-smi), may the service open it?")
        with _failures(torch), _unreadable(folder), torch.inference_mode(), _quiet():
            self._model = package.ChatterboxTurboTTS.from_local(folder, self._device)
        self._built_in = self._model.conds
        self._kept: Conditionals[Any] = Conditionals(
            self._cache,
            f"{version('chatterbox-tts')}.pt",
            self._cached_voices,
            self._read,
            lambda made, path: made.save(path),
        )
        for part in (self._model.t3.tfmr, self._model.s3gen.flow, self._model.s3gen.mel2wav):
            part.register_forward_pre_hook(self._look)

    def warm_up(self) -> None:
        """A reference and a sentence."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "reference.wav"
            path.write_bytes(wav(Recording(buzz()[np.newaxis, :], 16_000, "", plain=True)))
            self._speak("Ready.", lambda: self._computed(path), 0)

    def speak(self, text: str, voice: Voice, seed: int, stopped: Callable[[], bool]) -> Samples:
        """Memory that ran out is given back, and the piece tried once more."""
        self._stopped = stopped
        try:
            return self._speak(text, lambda: self._conditionals(voice), seed)
        except OutOfMemoryError:
            self._give_back()
            return self._speak(text, lambda: self._conditionals(voice), seed)
        finally:
            self._stopped = lambda: False

    def has_room(self) -> bool:
        """By the driver's figure; a CPU's memory is the system's business."""
        if not self._device.startswith("cuda"):
            return True
        torch, _ = _imported()
        free, _ = torch.cuda.mem_get_info()
        return bool(free >= _ROOM)

    def _speak(self, text: str, conditionals: Callable[[], Any], seed: int) -> Samples:
        torch, _ = _imported()
        # the mode is each thread's own; without it memory grows with every piece
        with _failures(torch), torch.inference_mode(), _quiet():
            self._model.conds = conditionals()
            torch.manual_seed(seed)
            sound = self._model.generate(text)
        return np.asarray(sound.squeeze(0).cpu().numpy(), dtype=np.float32)

    def _conditionals(self, voice: Voice) -> Any:
        path = voice.path
        if path is None:
            return self._built_in
        return self._kept.of(voice.digest, lambda: self._computed(path))

    def _computed(self, path: Path) -> Any:
        if not path.is_file():
            raise BadReferenceError(f'the recording of the voice "{path.stem}" is gone')
        try:
            self._model.prepare_conditionals(str(path))
        except (AssertionError, ValueError) as error:
            raise BadReferenceError(f'the recording of the voice "{path.stem}" cannot be used: {error}') from error
        return self._model.conds

    def _read(self, path: Path) -> Any:
        _, package = _imported()
        return package.Conditionals.load(path, map_location=self._device).to(self._device)

    def _give_back(self) -> None:
        torch, _ = _imported()
        self._kept.forget()
        self._model.conds = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _look(self, *_: object) -> None:
        """Before each token and each step of the sound: so a stop takes milliseconds, not a piece."""
        if self._stopped():
            raise StoppedError


def _imported() -> tuple[Any, Any]:
    try:
        import torch
        from chatterbox import tts_turbo
    except ImportError as error:
        raise UnavailableError(f"the engine is not installed ({error}): see requirements/engine.txt") from error
    return torch, tts_turbo


@contextlib.contextmanager
def _failures(torch: Any) -> Iterator[None]:
    """The package's failures in the seam's words."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemoryError("the card's memory is used up") from error
    except RuntimeError as error:
        if "can't allocate memory" in str(error):
            raise OutOfMemoryError("the memory is used up") from error
        if "CUDA error" in str(error) or "CUDNN_STATUS" in str(error):
            raise BrokenError("the card's driver reports an error that only a restart mends") from error
        raise


@contextlib.contextmanager
def _unreadable(folder: Path) -> Iterator[None]:
    """What reading a checkpoint fails with, when a file of it is not what it should be."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UnavailableError(f"the checkpoint in {folder} cannot be read: {error}; try `tts check`") from error
    except RuntimeError as error:
        if "state_dict" in str(error):
            first = str(error).splitlines()[0]
            raise UnavailableError(f"the checkpoint in {folder} is of another model: {first}") from error
        raise


def _quiet() -> contextlib.redirect_stdout[io.StringIO]:
    """The package prints; a service's standard output is its log."""
    return contextlib.redirect_stdout(io.StringIO())
