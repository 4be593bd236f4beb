"""What the estimate is made of: the same classes and boundaries as in `src/prompt/tokens/classes.rs`, counted with numpy.

`report.py` holds both against each other, sample by sample.
"""

import json

import numpy

CLASSES = ("COMMON", "RARE", "CAPITAL", "DIGIT", "BLANK", "MARK", "CONTROL", "BREAK", "LATIN", "TWO", "CJK", "INDIC", "THREE", "FOUR", "TAIL")
COMMON, RARE, CAPITAL, DIGIT, BLANK, MARK, CONTROL, BREAK, LATIN, TWO, CJK, INDIC, THREE, FOUR, TAIL = range(15)

SMALL = {COMMON, RARE}
LETTERS = SMALL | {CAPITAL}
ALL = set(range(15))

# A factor, the classes that may stand before, the classes that it is for. A byte may be in several.
BOUNDARIES = {
    "word": (ALL - LETTERS - {DIGIT, TAIL}, LETTERS),
    "hump": (SMALL, {CAPITAL}),
    "after_capital": ({CAPITAL}, SMALL),
    "after_digit": ({DIGIT}, LETTERS),
    "letter": (ALL, {COMMON}),
    "rare_letter": (ALL, {RARE}),
    "capital": (ALL, {CAPITAL}),
    "number": (ALL - LETTERS - {DIGIT}, {DIGIT}),
    "digit_in_word": (LETTERS, {DIGIT}),
    "digit": (ALL, {DIGIT}),
    "mark_run": (ALL - {MARK}, {MARK}),
    "mark": (ALL, {MARK}),
    "line_break": (ALL - {BREAK, MARK}, {BREAK}),
    "break_after_mark": ({MARK}, {BREAK}),
    "indentation": ({BREAK}, {BLANK}),
    "space": (ALL - {BREAK, BLANK}, {BLANK}),
    "blank": ({BLANK, BREAK}, {BLANK, BREAK}),
    "control": (ALL, {CONTROL}),
    "accented": (ALL, {LATIN}),
    "two_bytes_run": (ALL - {TAIL}, {TWO}),
    "two_bytes": (ALL, {TWO}),
    "cjk_run": (ALL - {TAIL}, {CJK}),
    "cjk": (ALL, {CJK}),
    "indic": (ALL, {INDIC}),
    "three_bytes_run": (ALL - {TAIL}, {THREE}),
    "three_bytes": (ALL, {THREE}),
    "four_bytes": (ALL, {FOUR}),
}
NAMES = (*BOUNDARIES, "structure")


def class_of(byte: int, rare: str) -> int:
    character = chr(byte)
    if "a" <= character <= "z":
        return RARE if character in rare else COMMON
    if "A" <= character <= "Z":
        return CAPITAL
    if character.isascii() and character.isdigit():
        return DIGIT
    if byte < 0x80:
        named = {" ": BLANK, "\t": BLANK, "\n": BREAK, "\r": BREAK}
        return named.get(character, CONTROL if byte < 0x20 or byte == 0x7F else MARK)
    leads = ((0xC0, TAIL), (0xCB, LATIN), (0xE0, TWO), (0xE2, INDIC), (0xE3, THREE), (0xEA, CJK), (0xF0, THREE))
    return next((kind for end, kind in leads if byte < end), FOUR)


class Counter:
    """Counts the factors of texts."""

    def __init__(self, rare: str) -> None:
        self._table = numpy.array([class_of(byte, rare) for byte in range(256)])
        self._matrix = numpy.zeros((256, len(NAMES)))
        for column, (before, of) in enumerate(BOUNDARIES.values()):
            for first in before:
                for second in of:
                    self._matrix[first * 16 + second, column] = 1

    def count(self, text: str, marks: int = 0) -> numpy.ndarray:
        """How much of each factor; `marks` of the text are a JSON value's own."""
        classes = self._table[numpy.frombuffer(text.encode(), numpy.uint8)]
        before = numpy.concatenate([[BLANK], classes[:-1]])
        counted = numpy.bincount(before * 16 + classes, minlength=256) @ self._matrix
        counted[-1] = marks
        return counted


def walked(value: object) -> tuple[str, int]:
    """What the cursor shows of a JSON value that counts: its text without blanks, commas and colons, and how many marks."""
    if isinstance(value, dict):
        parts = [(f'"{key}"' + inner, marks + 2) for key, (inner, marks) in ((k, walked(v)) for k, v in value.items())]
        return "{" + "".join(part for part, _ in parts) + "}", sum(marks for _, marks in parts) + 2
    if isinstance(value, list):
        parts = [walked(item) for item in value]
        return '"' + "".join(part for part, _ in parts) + '"', sum(marks for _, marks in parts) + 2
    if isinstance(value, str):
        return f'"{value}"', 2
    return json.dumps(value), 0
