"""The files of a checkpoint, and whether they are what they should be. Reads no tensor."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

WEIGHTS = ("ve.safetensors", "t3_turbo_v1.safetensors", "s3gen_meanflow.safetensors")
PATTERNS = ("*.safetensors", "*.json", "*.txt", "*.pt", "*.model")  # what the package itself downloads

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_HEAD = 100 << 20  # bytes: the format's own limit


def missing(folder: Path) -> list[str]:
    """The files that must be there and are not."""
    absent = [name for name in WEIGHTS if not (folder / name).is_file()]
    if not (folder / "tokenizer.json").is_file() and not (folder / "vocab.json").is_file():
        absent.append("vocab.json")
    return absent


def broken(folder: Path, *, thorough: bool) -> Iterator[tuple[Path, str]]:
    """Files that are not whole, and why; `thorough`: also by the checksums that the hub named them with."""
    for name in WEIGHTS:
        if fault := _fault(folder / name):
            yield folder / name, fault
    for path in sorted(folder.iterdir()) if thorough else ():
        expected = path.resolve().name
        if path.is_symlink() and _SHA256.fullmatch(expected) and _digest(path) != expected:
            yield path, "its checksum is not the hub's"


def _fault(path: Path) -> str | None:
    """A safetensors file says in its head where its last tensor ends: there the file must end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(size - 8, _LONGEST_HEAD):
            return "it is no safetensors file, or only its beginning"
        try:
            head = json.loads(file.read(length))
            ends = [tensor["data_offsets"][1] for name, tensor in head.items() if name != "__metadata__"]
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return "its head cannot be read"
    expected = 8 + length + max(ends, default=0)
    return None if size == expected else f"it has {size} bytes, not {expected}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
