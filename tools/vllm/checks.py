"""What a check is: a function whose first line says what it shows, and that answers with what it saw."""

import http.client
import json
from collections.abc import Callable
from typing import Any

from cases import CHAT, Result, chat
from exchange import Answer, Exchange
from servers import Site

Check = Callable[[Site], str]


class Fault(Exception):
    """Something is not as it should be."""


def must(holds: bool, fault: str) -> None:
    if not holds:
        raise Fault(fault)


def must_say(answer: Answer, status: int, **headers: str) -> None:
    """The answer has this status and these `x-sluice-` headers."""
    must(answer.status == status, f"status {answer.status}, not {status}: {answer.text[:300]}")
    for name, value in headers.items():
        found = answer.headers.get(f"x-sluice-{name}")
        must(found == value, f"x-sluice-{name} is {found!r}, not {value!r}")


def long_stream(model: str, **more: Any) -> dict[str, Any]:
    """A stream that would run for a long time."""
    return chat(model=model, stream=True, max_tokens=8_000, ignore_eos=True, **more)


def words(count: int) -> str:
    return "water " * count


def text_of(answer: Answer) -> str:
    """What a streamed chat said."""
    must(answer.status == 200 and answer.text.endswith("data: [DONE]\n\n"), f"{answer.status}, ends {answer.text[-80:]!r}")
    lines = [line[6:] for line in answer.text.split("\n") if line.startswith("data: {")]
    return "".join(choice["delta"].get("content") or "" for line in lines for choice in json.loads(line)["choices"])


def open_stream(site: Site, model: str, **headers: str) -> Exchange:
    """A long stream whose first events have come."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    exchange = Exchange(site.sluice.port, "POST", CHAT, long_stream(model), named)
    exchange.read_events(3)
    return exchange


def run_check(check: Check, site: Site) -> Result:
    name = " ".join((check.__doc__ or check.__name__).split())
    try:
        return Result(name, "", check(site))
    except (Fault, TimeoutError, OSError, http.client.HTTPException, KeyError, ValueError) as fault:
        return Result(name, f"{type(fault).__name__}: {fault}")
