"""Where the references are kept: one WAV file a voice. A name is an identifier and never a path."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice_tts.errors import ApiError, invalid
from sluice_tts.voices.check import Refusal, refusals
from sluice_tts.voices.decode import NoRecordingError, Recording, decode
from sluice_tts.voices.mend import mended, wav

BUILT_IN = "default"  # the voice that a checkpoint may bring along
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice to speak with."""

    name: str
    path: Path | None  # of its reference; None: the checkpoint's own
    digest: str  # of the reference: what is computed from it is kept under this


@dataclass(frozen=True, slots=True)
class Kept:
    """A voice of the store, for a list."""

    name: str
    created: int  # seconds since 1970
    bytes: int


class Store:
    """The folder of references. The command line writes to it too: all that is remembered is what was judged."""

    def __init__(self, folder: Path, most: int, aliases: Mapping[str, str]) -> None:
        self._folder, self._most, self._aliases = folder, most, aliases
        self._judged: set[str] = set()

    def list(self) -> list[Kept]:
        """All voices, by name."""
        found = []
        for path in sorted(self._folder.glob("*.wav")):
            with contextlib.suppress(FileNotFoundError):
                if NAME.fullmatch(path.stem):
                    state = path.stat()
                    found.append(Kept(path.stem, int(state.st_mtime), state.st_size))
        return found

    def find(self, asked: str, built_in: bool) -> Voice:
        """The voice of this name or alias; 404 when there is none, 400 when its file is no good reference."""
        name = self._aliases.get(asked, asked)
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError:
            if built_in and name == BUILT_IN:
                return Voice(BUILT_IN, None, "built-in")
            raise self._unknown(asked, built_in) from None
        return Voice(name, self._path(name), self._approved(name, data))

    def add(self, name: str, data: bytes, *, convert: bool = False, replace: bool = False) -> Kept:
        """Keeps a reference if it will do; `convert`: mends first what can be mended."""
        path = self._path(name)
        if not replace and path.exists():
            raise ApiError(
                409, "voice_exists", f'there is a voice "{name}": delete it first, or add ?replace=true', "name"
            )
        if not path.exists() and len(self.list()) >= self._most:
            raise ApiError(
                409, "too_many_voices", f"there are {self._most} voices, as many as may be: delete one first"
            )
        _write(path, _reference(data, convert))
        return next(kept for kept in self.list() if kept.name == name)

    def remove(self, name: str) -> None:
        """Forgets a voice; 404 when there is none."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            raise self._unknown(name, built_in=False) from None

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            message = "a voice's name is 1 to 64 letters, digits, `-` and `_`, and begins with a letter or a digit"
            raise invalid(message, "voice", "invalid_voice")
        return self._folder / f"{name}.wav"

    def _approved(self, name: str, data: bytes) -> str:
        """Files are put here by hand too: each content is judged once."""
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._judged:
            found = refusals(_read(data))
            if found:
                raise _refused(found, f'the file of the voice "{name}" is no good reference: ')
            self._judged.add(digest)
        return digest

    def _unknown(self, name: str, built_in: bool) -> ApiError:
        names = [kept.name for kept in self.list()] + ([BUILT_IN] if built_in else [])
        known = (
            f"there are: {', '.join(names)}"
            if names
            else "there is none yet: add one with `tts voices add NAME FILE`"
        )
        return ApiError(404, "voice_not_found", f'no voice "{name}"; {known}', "voice")


def _reference(data: bytes, convert: bool) -> bytes:
    """The file to keep."""
    recording = _read(data)
    if convert:
        recording = mended(recording)
    if found := refusals(recording):
        raise _refused(found, "the recording is no good reference: ")
    return wav(recording)


def _read(data: bytes) -> Recording:
    try:
        return decode(data)
    except NoRecordingError as error:
        raise invalid(str(error), "file", "invalid_audio") from error


def _refused(found: list[Refusal], begin: str) -> ApiError:
    return invalid(begin + "; ".join(refusal.message for refusal in found), "file", "unsuitable_audio")


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: whoever reads meanwhile sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o640)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
