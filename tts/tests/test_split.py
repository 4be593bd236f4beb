"""How a text becomes pieces: sentences that people write, and everything that hypothesis can think of."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_tts.text.clean import speakable
from sluice_tts.text.sentences import sentences
from sluice_tts.text.split import LIMIT, Piece, split

WORDS = st.sampled_from(
    [
        "Hello",
        "Dr.",
        "e.g.",
        "3.14",
        "[laugh]",
        "[clear throat]",
        "J.",
        "wait,",
        "(why?)",
        "“Yes!”",
        "é́",
        "…",
        "—",
        "好。",
    ]
)
PROSE = st.lists(st.one_of(WORDS, st.text(max_size=12)), max_size=120).map(" ".join)
TEXTS = st.one_of(PROSE, st.text(max_size=900), st.text(alphabet="ab .,!\n[]", max_size=900))


def audible(text: str) -> str:
    """What must not get lost: letters and digits, in their order."""
    return "".join(character for character in text if character.isalnum())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith paid 3.50 to J. R. Hartley.", ["Dr. Smith paid 3.50 to J. R. Hartley."]),
        ("It rained, e.g. on Monday. We stayed.", ["It rained, e.g. on Monday.", "We stayed."]),
        ('"Stop!" he said. (Really.) Fine.', ['"Stop!"', "he said.", "(Really.)", "Fine."]),
        ("Well... maybe", ["Well...", "maybe"]),
        ("今日は。元気？", ["今日は。", "元気？"]),
        ("no end at all", ["no end at all"]),
        ("", []),
    ],
)
def test_sentences(line: str, expected: list[str]) -> None:
    assert list(sentences(line)) == expected


def test_the_first_piece_is_short_and_the_others_are_full() -> None:
    text = " ".join(f"This is the sentence with the number {number} in it." for number in range(20))
    pieces = split(text)
    assert len(pieces[0].text) <= 120 < len(pieces[1].text)
    assert [len(piece.text) > 200 for piece in pieces[1:-1]] == [True] * (len(pieces) - 2)


def test_pauses_follow_the_text() -> None:
    pieces = split("A first paragraph.\n\nA second one. " + "It goes on and on, " * 20)
    assert pieces[0] == Piece("A first paragraph.", 0.45)
    assert pieces[-1].pause == 0.0
    assert all(piece.pause > 0 for piece in pieces[:-1])


@pytest.mark.parametrize("text", ["", " \n\t", "...", "!?!", "\u200b\u200e", "🎉🎉", "\x00\x01", "—"])
def test_nothing_to_speak(text: str) -> None:
    assert split(text) == []


def test_a_long_word_is_cut_and_a_tag_is_not() -> None:
    pieces = split("x" * 295 + "[clear throat]" + "y" * 400)
    assert [len(piece.text) for piece in pieces] == [295, 300, 114]
    assert "[clear throat]" in pieces[1].text


@given(TEXTS, st.integers(50, LIMIT))
def test_nothing_is_lost_and_no_piece_is_long(text: str, limit: int) -> None:
    pieces = split(text, limit)
    joined = "".join(piece.text for piece in pieces)
    whole = " ".join(piece.text for piece in split(text, 10**6))
    assert audible(joined) == audible(whole)
    assert all(0 < len(piece.text) <= limit for piece in pieces)
    assert all(piece.text == piece.text.strip() and speakable(piece.text) for piece in pieces)


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "P", "Z"]), max_size=900))
def test_plain_text_keeps_every_letter(text: str) -> None:
    assert audible("".join(piece.text for piece in split(text))) == audible(text)


@given(TEXTS)
def test_the_same_text_gives_the_same_pieces_and_pieces_stay_pieces(text: str) -> None:
    pieces = split(text)
    assert pieces == split(text)
    for piece in pieces:
        assert "".join(part.text for part in split(piece.text, first=LIMIT)).replace(" ", "") == piece.text.replace(
            " ", ""
        )


@given(st.lists(st.sampled_from(["[laugh]", "[clear throat]", "word", "word," * 30, "é" * 90]), max_size=80))
def test_tags_are_whole(words: list[str]) -> None:
    pieces = split(" ".join(words))
    tags = [tag for piece in pieces for tag in re.findall(r"\[[a-z ]+\]", piece.text)]
    assert tags == [word for word in words if word.startswith("[")]
    assert all(piece.text.count("[") == piece.text.count("]") for piece in pieces)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from([". ", "a.", " ", "[", "a", "\u0301", "Mr. ", ".\n\n", "[laugh]", "？", "\u200d"]))
def test_time_grows_no_faster_than_text(unit: str) -> None:
    began = time.monotonic()
    split("a" + unit * (100_000 // len(unit)))
    assert time.monotonic() - began < 5
