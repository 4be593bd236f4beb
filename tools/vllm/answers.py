"""Are two answers the same? Byte for byte, but for what must differ: times, and ids that vLLM draws at random.

Both ways carry the same X-Request-Id, which vLLM makes its own ids of: those must be equal too. In a stream vLLM puts
several tokens into one event when it has got behind, so where the bytes differ a second look counts: at what the events
say together.
"""

import json
import re
from typing import Any

from exchange import Answer

# Random ids of vLLM's own, and times in whole seconds.
RANDOM_ID = re.compile(rb'"((?:msg|rs|fc|call|resp|chatcmpl-tool|tool|item)[_-])[0-9a-zA-Z]{8,}"')
TIME = re.compile(rb'"(created|created_at|completed_at)":[0-9.]+')

# Of the headers: the time, what sluice adds (docs: the table in README.md), and what says how long a connection lives.
ADDED = re.compile(r"(x-)?request-id|x-sluice-[a-z]+|connection|keep-alive")

# Members of events whose texts go on from event to event.
TEXTS = re.compile(r"\.(content|text|arguments|delta|partial_json)$")


def masked(body: bytes) -> bytes:
    """The body with every random id and time made the same."""
    return TIME.sub(rb'"\1":0', RANDOM_ID.sub(rb'"\1"', body))


def own_headers(answer: Answer) -> dict[str, str]:
    """The headers that must be the same both ways."""
    kept = {name: value for name, value in answer.headers.items() if not ADDED.fullmatch(name)}
    return kept | {"date": ""}


def difference(direct: Answer, proxied: Answer) -> str:
    """What differs first; empty when nothing does."""
    if direct.status != proxied.status:
        return f"status {direct.status} directly, {proxied.status} through sluice: {proxied.text[:300]}"
    ours, theirs = own_headers(proxied), own_headers(direct)
    if ours != theirs:
        names = [name for name in sorted(ours | theirs) if ours.get(name) != theirs.get(name)]
        return "; ".join(f"header {name}: {theirs.get(name)!r} directly, {ours.get(name)!r} through" for name in names)
    first, second = masked(direct.body), masked(proxied.body)
    if is_stream(direct) and told(first) == told(second):
        return ""
    return body_difference(first, second)


def is_stream(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").startswith("text/event-stream")


def told(body: bytes) -> dict[str, Any]:
    """What a stream says, however it is cut: each member's texts joined, its other values in their order."""
    found: dict[str, list[Any]] = {}
    for line in body.decode(errors="replace").split("\n"):
        kind, _, value = line.partition(": ")
        if kind == "data" and value.startswith("{"):
            collect(json.loads(value), "", found)
        elif line:
            add(found, "line", line)
    return {path: "".join(values) if TEXTS.search(path) else values for path, values in found.items()}


def collect(value: Any, path: str, found: dict[str, list[Any]]) -> None:
    """Adds what a part of an event says; places in lists do not count, and neither do numbers of events."""
    if isinstance(value, dict):
        for name, member in value.items():
            collect(member, f"{path}.{name}", found)
    elif isinstance(value, list):
        for member in value:
            collect(member, path, found)
    elif not path.endswith(".sequence_number"):
        add(found, path, value)


def add(found: dict[str, list[Any]], path: str, value: Any) -> None:
    """A text is always added, another value where it changes."""
    values = found.setdefault(path, [])
    if TEXTS.search(path):
        values.append(value or "")
    elif not values or values[-1] != value:
        values.append(value)


def body_difference(direct: bytes, proxied: bytes) -> str:
    """The place where two bodies part; empty when they do not."""
    if direct == proxied:
        return ""
    at = next((at for at, (a, b) in enumerate(zip(direct, proxied)) if a != b), min(len(direct), len(proxied)))
    window = slice(max(0, at - 40), at + 60)
    return f"body at byte {at}: {direct[window]!r} directly, {proxied[window]!r} through"
