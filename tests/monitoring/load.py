"""Every kind of load that sluice counts: routed, forced, refused, queued, failing, left, reloaded, flipped."""

import concurrent.futures
import contextlib
import http.client
import json
from collections.abc import Iterator
from typing import Any

from house import House
from peers import BREAK, FAIL, SLOW

CHAT = "/v1/chat/completions"
SPEECH = "/v1/audio/speech"
MORE_THAN_HALF = "x" * 700_000


def chat(model: str, said: str, **more: Any) -> str:
    """A chat request's body."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": said}], **more})


@contextlib.contextmanager
def asked(house: House, body: str, path: str = CHAT) -> Iterator[http.client.HTTPResponse]:
    """An answer of the proxy of which only the head is read."""
    connection = http.client.HTTPConnection(house.proxy, timeout=20)
    with contextlib.closing(connection):
        connection.request("POST", path, body, {"content-type": "application/json"})
        yield connection.getresponse()


def ask(house: House, body: str, path: str = CHAT) -> int:
    """The status of an answer that is read to its end, or until it breaks."""
    with asked(house, body, path) as answer:
        with contextlib.suppress(http.client.IncompleteRead):
            answer.read()
        return answer.status


def expect(house: House, status: int, body: str, path: str = CHAT) -> None:
    """Asks, and fails when the answer is another: then the load is not what it is meant to be."""
    got = ask(house, body, path)
    assert got == status, f"{body[:80]}: {got}, not {status}"


def at_once(house: House, bodies: list[str], path: str) -> list[int]:
    """The statuses of requests that are made at one time, in order."""
    with concurrent.futures.ThreadPoolExecutor(len(bodies)) as pool:
        return sorted(pool.map(lambda body: ask(house, body, path), bodies))


def ordinary(house: House) -> None:
    """Answers and refusals while nobody plays."""
    expect(house, 200, chat("auto", "hello"))
    expect(house, 200, chat("auto", "hello", stream=True, stream_options={"include_usage": True}))
    expect(house, 200, chat("auto", "please refactor this"))
    expect(house, 200, json.dumps({"model": "tts", "voice": "v", "input": "good evening"}), SPEECH)
    expect(house, 400, "{")
    expect(house, 404, chat("nobody", "hello"))
    expect(house, 404, chat("auto", "hello"), "/v1/nothing")
    expect(house, 503, chat("off", "hello"))
    expect(house, 200, chat("paid", "hello"))


def failing(house: House) -> None:
    """A backend that fails (the next one fails too), and an answer that breaks."""
    expect(house, 503, chat("b", FAIL))
    expect(house, 200, chat("small", BREAK, stream=True))


def leaving(house: House) -> None:
    """A client that goes away in mid answer."""
    with asked(house, chat("auto", "hello", stream=True)) as answer:
        assert answer.status == 200


def crowd(house: House) -> None:
    """More than the cards and their queues take, with one that passes by: some are refused, some wait too long."""
    bodies = [chat("small", SLOW)] * 6 + [chat("b", SLOW)] * 2
    statuses = at_once(house, bodies, CHAT)
    assert {200, 429, 504} >= set(statuses) and 429 in statuses and 504 in statuses, statuses


def large(house: House) -> None:
    """Two bodies of which only one can be held at a time."""
    body = json.dumps({"model": "tts", "voice": "v", "input": SLOW + MORE_THAN_HALF})
    statuses = at_once(house, [body] * 2, SPEECH)
    assert statuses == [200, 503], statuses


def gaming(house: House) -> None:
    """Somebody plays: forced requests pass, others do not."""
    house.set_mode("GAMING")
    expect(house, 200, chat("big", "hello"))
    expect(house, 200, chat("b", "hello"))
    expect(house, 200, chat("auto", "please refactor this"))
    house.set_mode("NORMAL")


def reloads(house: House) -> None:
    """A policy that is refused, and one that is taken."""
    good = house.policy.read_text()
    house.policy.write_text(good + "nonsense: true\n")
    status, said = house.ask_admin("POST", "/reload")
    assert status == 422, said
    house.policy.write_text(f"{good}#\n")
    status, said = house.ask_admin("POST", "/reload")
    assert status == 200, said


def everything(house: House) -> None:
    """One round of all of it, a few seconds long."""
    for kind in (ordinary, failing, leaving, crowd, large, gaming, reloads):
        kind(house)
