"""The two vocabularies: how many tokens a text has in them."""

import base64
import importlib.util
import pathlib

import bpe_openai
import tiktoken

# How the Qwen family splits a text before its pairs are merged; each digit stands alone.
QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def qwen() -> tiktoken.Encoding:
    """Qwen's, of the file that the `dashscope` wheel carries; found without running that package."""
    package = importlib.util.find_spec("dashscope")
    if package is None or package.origin is None:
        raise SystemExit("dashscope is not installed: pip install -r requirements.txt")
    lines = (pathlib.Path(package.origin).parent / "resources/qwen.tiktoken").read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in lines if line)}
    return tiktoken.Encoding("qwen", pat_str=QWEN_SPLIT, mergeable_ranks=ranks, special_tokens={})


class Vocabularies:
    """Both of them, loaded."""

    NAMES = ("Qwen", "o200k")

    def __init__(self) -> None:
        self._qwen = qwen()
        self._o200k = bpe_openai.get_encoding("o200k_base")

    def count(self, text: str) -> tuple[int, int]:
        """Tokens in Qwen's and in o200k."""
        return len(self._qwen.encode_ordinary(text)), len(self._o200k.encode_ordinary(text))
