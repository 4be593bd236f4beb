"""Where a sentence ends, in a line of text."""

import re
from collections.abc import Iterator

# Marks that end a sentence, with the quotes and brackets that close after them. The wide ones need no space.
_END = re.compile(r"""[.!?…]+["'”’»)\]]*(?=\s)|[。！？]+[」』）]*""")
_LAST_WORD = re.compile(r"(\S+)$")
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st sr jr vs no nr fig approx dept est gen gov hon inc ltd rev sgt capt col e.g i.e cf".split()
)


def sentences(line: str) -> Iterator[str]:
    """The sentences of a line, in order; their text without the white space between them."""
    begin = 0
    for found in _END.finditer(line):
        if _is_end(line, begin, found):
            yield line[begin : found.end()].strip()
            begin = found.end()
    if rest := line[begin:].strip():
        yield rest


def _is_end(line: str, begin: int, found: re.Match[str]) -> bool:
    if found.group() != ".":
        return True
    # 64 characters are more than any abbreviation has: a long line must not cost its square
    word = _LAST_WORD.search(line[max(begin, found.start() - 64) : found.start()])
    before = word.group(1).lstrip("(\"'“‘") if word else ""
    after = line[found.end() : found.end() + 2].strip()
    initial = len(before) == 1 and before.isupper()
    return not (initial or before.lower() in _ABBREVIATIONS or after.islower())
