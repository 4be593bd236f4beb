"""Speech and text on one card, through the real sluice: what uses the card is written down, and never overlaps."""

import contextlib
import random
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, pairwise
from pathlib import Path

import httpx
import pytest

from house import House, Work

LONG = "A first sentence that is heard soon. " + "And a second one, which is a good deal longer than it. " * 12
PIECES = 4  # of the text above
SLOW = LONG * 4  # some seconds of work: time to come meanwhile
CLIENTS = 8
REQUESTS = 48
STOPS_WITHIN = 250  # milliseconds; a millisecond is usual, but the machine may be busy


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as running:
        yield running


def overlaps(work: list[Work]) -> list[tuple[Work, Work, float]]:
    """Pairs that used the card at one time though one of them is speech, and for how many milliseconds."""
    pairs = [pair for pair in combinations(work, 2) if "speech" in (pair[0].who, pair[1].who)]
    shared = ((a, b, (min(a.ended, b.ended) - max(a.began, b.began)) / 1e6) for a, b in pairs)
    return [entry for entry in shared if entry[2] > 0]


def test_speech_waits_for_a_chat_that_streams(house: House) -> None:
    house.vllm.tokens = 1_000_000
    with ThreadPoolExecutor(1) as pool, house.chat() as chat:
        parts = chat.iter_raw()
        next(parts)
        spoken = pool.submit(finished, house, "speech", None)
        house.wait_queued(1)
        assert [next(parts) for _ in range(3)], "the chat goes on meanwhile"
        house.vllm.tokens = 0
        assert b"[DONE]" in b"".join(parts)
        assert spoken.result() == 200
    assert [entry.who for entry in house.work()] == ["text", *["speech"] * PIECES]
    assert overlaps(house.work()) == []


def test_a_chat_waits_for_speech_that_streams(house: House) -> None:
    with ThreadPoolExecutor(1) as pool, house.speak(SLOW) as speech:
        parts = speech.iter_raw()
        next(parts)
        chatted = pool.submit(finished, house, "text", None)
        house.wait_queued(1)
        assert b"".join(parts)
        assert chatted.result() == 200
    assert [entry.who for entry in house.work()][-1] == "text"
    assert overlaps(house.work()) == []


def finished(house: House, who: str, leave_after: int | None) -> int:
    """Asks for one of the two; leaves after so many parts of the answer (0: before its head), or stays to the end."""
    asked = house.speak(LONG) if who == "speech" else house.chat()
    if leave_after == 0:
        with contextlib.suppress(httpx.TimeoutException), ask_briefly(house, who) as answer:
            answer.read()
        return 0
    with asked as answer:
        for number, _ in enumerate(answer.iter_raw(), 1):
            if number == leave_after:
                return 0
        return int(answer.status_code)


@contextlib.contextmanager
def ask_briefly(house: House, who: str) -> Iterator[httpx.Response]:
    """A client that has 50 ms of patience."""
    with httpx.Client(base_url=house.url, timeout=0.05, trust_env=False) as hasty:
        other = House.__new__(House)
        other.client = hasty
        with other.speak(LONG) if who == "speech" else other.chat() as answer:
            yield answer


def load(house: House, *, aborts: bool) -> list[int]:
    """Many clients at one time; with `aborts` a third of them leave: in the queue, or while it streams."""
    dice = random.Random(9)
    plan = [
        (
            dice.choice(["speech", "text", "text"]),
            dice.choice([0, 1, 2, 3]) if aborts and dice.random() < 0.34 else None,
        )
        for _ in range(REQUESTS)
    ]
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda asked: finished(house, *asked), plan))


def test_under_load_nothing_overlaps(house: House) -> None:
    assert load(house, aborts=False) == [200] * REQUESTS
    work = house.work()
    assert {entry.outcome for entry in work} == {"done"}
    assert overlaps(work) == []
    texts = [entry for entry in work if entry.who == "text"]
    assert any(a.ended > b.began for a, b in pairwise(texts)), "text beside text is not held up"


def test_under_load_with_clients_that_leave(house: House) -> None:
    statuses = load(house, aborts=True)
    assert set(statuses) == {0, 200}, house.door.output()
    work = house.work()
    assert any(entry.outcome == "stopped" for entry in work)
    found = overlaps(work)
    # sluice gives the card back when it hangs up; whoever used it hears of that, and stops at the next token
    assert all("stopped" in (a.outcome, b.outcome) for a, b, _ in found)
    assert max((milliseconds for *_, milliseconds in found), default=0) < STOPS_WITHIN


def test_the_instrument_sees_an_overlap(tmp_path: Path) -> None:
    """The same load where speech is not exclusive: if nothing were seen here, the tests above would say nothing."""
    with House(tmp_path, exclusive=False) as house:
        load(house, aborts=False)
        assert len(overlaps(house.work())) > 5


def test_without_speech_chat_goes_on(house: House) -> None:
    assert house.speech.end(signal.SIGKILL) == -signal.SIGKILL
    house.wait_unavailable("tts")
    with house.speak() as answer:
        answer.read()
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_backend_available")
        assert int(answer.headers["retry-after"]) >= 1
    assert finished(house, "text", None) == 200
