"""What an engine computes from a voice's reference, kept: on disk for all voices, in memory for the last few.

Others' servers were seen to grow by 200 MB of the card's memory for each voice they kept: so the number is bounded.
"""

import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

_Kept = TypeVar("_Kept")
_MOST_FILES = 256  # about 140 kB each


class Conditionals(Generic[_Kept]):
    """A bounded memory of what was computed, by the reference's digest. For one thread."""

    def __init__(
        self,
        folder: Path,
        kind: str,
        most: int,
        load: Callable[[Path], _Kept],
        save: Callable[[_Kept, Path], None],
    ) -> None:
        """`kind`: which engine, and which version of it: another one's files are not read."""
        self._folder, self._kind, self._most = folder, kind, most
        self._load, self._save = load, save
        self._memory: OrderedDict[str, _Kept] = OrderedDict()

    def of(self, digest: str, compute: Callable[[], _Kept]) -> _Kept:
        """From memory, else from disk, else computed and kept in both."""
        if digest not in self._memory:
            self._memory[digest] = self._from_disk(digest, compute)
            while len(self._memory) > self._most:
                self._memory.popitem(last=False)
        self._memory.move_to_end(digest)
        return self._memory[digest]

    def forget(self) -> None:
        """Empties the memory; what is on disk stays."""
        self._memory.clear()

    def __len__(self) -> int:
        return len(self._memory)

    def _from_disk(self, digest: str, compute: Callable[[], _Kept]) -> _Kept:
        path = self._folder / f"{digest}-{self._kind}"
        with contextlib.suppress(Exception):  # absent, cut short, of another version: it is computed again
            return self._load(path)
        computed = compute()
        with contextlib.suppress(OSError):  # a full disk costs time, not the answer
            self._keep(computed, path)
        return computed

    def _keep(self, computed: _Kept, path: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".new-{os.getpid()}-{path.name}")
        try:
            self._save(computed, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        self._thin_out()

    def _thin_out(self) -> None:
        files = sorted(
            (path for path in self._folder.iterdir() if path.is_file()), key=lambda path: path.stat().st_mtime
        )
        for path in files[: max(0, len(files) - _MOST_FILES)]:
            path.unlink(missing_ok=True)
