"""Server-sent events: `data:` lines out of bytes that come in pieces of any size."""

from collections.abc import Iterator

# No event of a chat is longer; what is, is not a stream that we know.
LONGEST_BYTES = 1024 * 1024


class Lines:
    """Collects bytes until a line is whole."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[str]:
        """What the `data:` lines that are whole now hold. Raises `ValueError` for a line without an end."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > LONGEST_BYTES:
            raise ValueError("a line of the stream does not end")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip().decode("utf-8", "replace")
