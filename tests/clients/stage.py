"""A running `sluice serve` in front of scripted peers: queues, gates and peers in the states that a case needs."""

import contextlib
import json
import pathlib
import socket
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any, Self

from peer import Book, Peer, Seen
from process import Sluice

Json = dict[str, Any]
# Of one request body: what a client sends past it is refused with 413.
BODY_LIMIT = 256 * 1024
# What the contract grants for a slot to be free after its client has left.
FREE_SECONDS = 1.0
# What does not happen for so long fails the case.
PATIENCE_SECONDS = 10.0
# A plan: a stream that goes on for longer than any case.
ENDLESS: Json = {"words": 1000, "pause_seconds": 0.02}
# As peers and sluice say it here; without it the clients wait for half a second at first.
RETRY_AFTER_SECONDS = 1.0


class Stage:
    """The models `small`, `big` (behind a gate), and one for each way in which a model cannot answer."""

    def __init__(self, binary: pathlib.Path, clients: Json | None = None) -> None:
        """`clients`: as in the policy; without them no key is asked for."""
        self._binary, self._clients = binary, clients or {}
        self._book = Book()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-clients-")))
            peers = [Peer(model, self._book) for model in ("small-model", "big-model")]
            for peer in peers:
                stack.callback(peer.stop)
            # bound and not listening: a connection to it is refused, and nobody else gets the port
            dead = stack.enter_context(socket.socket())
            dead.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{dead.getsockname()[1]}"
            house = policy(peers[0].address, peers[1].address, address)
            config = write(folder, {**house, "clients": self._clients})
            lines = r"(proxy|admin) listening on (http://127\.0\.0\.1:\d+)"
            self._sluice = stack.enter_context(Sluice(self._binary, ["serve", "--config", str(config)], lines))
            self.peer = f"http://{peers[0].address}"
            self.push("gaming_pc", "NORMAL")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def proxy(self) -> str:
        return self._sluice.proxy

    @property
    def admin(self) -> str:
        return self._sluice.admin

    def output(self) -> str:
        """The last lines that sluice printed."""
        return self._sluice.output()

    def push(self, gate: str, mode: str) -> None:
        """Pushes a gate's mode; it is in force when this returns."""
        body = json.dumps({"mode": mode}).encode()
        fields = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.admin}/gates/{gate}", body, fields, method="PUT")
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            assert answer.status == 200, answer.status

    def seen(self, case: str) -> list[Seen]:
        """What the peers received for a case."""
        return self._book.of(case)

    def load(self, gpu: str) -> tuple[int, int]:
        """Requests in flight on a card, and in its queue."""
        shown = self._get("/status")["gpus"][gpu]
        return shown["in_flight"], shown["queued"]

    def decisions(self, request_id: str, awaited: int) -> list[Json]:
        """The records of one request id, the oldest first; an SDK keeps the id when it asks again.

        A record is there when the exchange is over, a moment after its answer: so many are waited for.
        """

        def records() -> list[Json]:
            return [it for it in reversed(self._get("/decisions?limit=200")) if it["request_id"] == request_id]

        eventually(lambda: len(records()) >= awaited, f"{awaited} records of {request_id}")
        return records()

    def soon_asked(self, case: str) -> None:
        """A peer comes to hold the whole request of a case."""
        eventually(lambda: bool(self.seen(case)), "a peer is asked")

    def soon_free(self, gpu: str) -> None:
        """The card has nothing in flight and nothing queued within a second of this moment."""
        eventually(lambda: self.load(gpu) == (0, 0), f"{gpu} is free", FREE_SECONDS)

    def soon_loaded(self, gpu: str, in_flight: int, queued: int = 0) -> None:
        """The card comes to hold so many."""
        eventually(lambda: self.load(gpu) == (in_flight, queued), f"{gpu} holds {in_flight} and {queued}")

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.admin + path, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)


def eventually(holds: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Waits for something to hold."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def script(**plan: object) -> dict[str, Any]:
    """Options of a call: a plan for the peer under a new case's name, which is the request id too."""
    case = f"case-{uuid.uuid4().hex}"
    return {"extra_headers": {"x-plan": json.dumps({"case": case, **plan}), "x-request-id": case}}


def id_of(options: dict[str, Any]) -> str:
    """The case's name in what `script` made."""
    return str(options["extra_headers"]["x-request-id"])


# --- the two files -----------------------------------------------------------------------------------------


def write(folder: pathlib.Path, policy_file: Json) -> pathlib.Path:
    """Writes both files, as JSON: YAML takes it."""
    settings = {
        "version": 1, "listen": {"proxy": "127.0.0.1:0", "admin": "127.0.0.1:0"}, "policy": "policy.yaml",
        "limits": {"body": f"{BODY_LIMIT // 1024}KiB"}, "shutdown_grace": "1s",
    }
    for name, value in (("policy.yaml", policy_file), ("sluice.yaml", settings)):
        (folder / name).write_text(json.dumps(value))
    return folder / "sluice.yaml"


def policy(small: str, big: str, dead: str) -> Json:
    """The contract's house, and a backend for each refusal. `dead` takes no connection."""
    calm: Json = {"interval": "1h", "timeout": "5s", "unhealthy_after": 100}
    backends: dict[str, Json] = {
        "small": {"peers": [small], "model": "small-model", "gpu": "rtx3070", "context_window": 16384},
        "big": {
            "peers": [big], "model": "big-model", "gpu": "rtx3090", "gate": "gaming_pc", "context_window": 32768,
            "fail_soft": ["small"],
        },
        "full": {"peers": [small], "model": "small-model", "gpu": "no_queue"},
        "late": {"peers": [small], "model": "small-model", "gpu": "short_queue"},
        "patient": {"peers": [small], "model": "small-model", "gpu": "long_queue"},
        "silent": {"peers": [small], "model": "small-model", "timeouts": {"first_byte": "200ms"}},
        "dead": {"peers": [dead], "model": "small-model"},
        "shut": {"peers": [small], "model": "small-model", "gate": "never_opened"},
        "cut": {"peers": [small], "model": "small-model", "gate": "cuts"},
    }
    named = {name: {"backend": name} for name in backends if name != "big"}
    return {
        "version": 1,
        "gpus": {
            "rtx3070": {"max_in_flight": 8}, "rtx3090": {"max_in_flight": 2},
            "no_queue": {"max_in_flight": 1, "max_queue": 0},
            "short_queue": {"max_in_flight": 1, "max_queue": 4, "queue_timeout": "200ms"},
            "long_queue": {"max_in_flight": 1, "max_queue": 4},
        },
        "gates": {"gaming_pc": {}, "never_opened": {}, "cuts": {"drain_timeout": "0s"}},
        "backends": {name: {**backend, "health": calm} for name, backend in backends.items()},
        "models": {"auto": {}, "big": {}, **named},
        "prompt": {"tags": {"force_big": r"(?i)#force_big\b"}},
        "rules": rules(),
    }


def rules() -> list[Json]:
    """Those of the contract."""
    forced = [{"header": {"name": "X-Force-Big", "is": True}}, {"model": ["big"]}, {"tag": ["force_big"]}]
    return [
        {"name": "force-big", "when": {"any": forced}, "route": "big", "override_gate": True},
        {"name": "gaming", "when": {"gate": {"gaming_pc": ["closed", "unknown"]}}, "route": "small"},
        {"name": "heavy-by-tokens", "when": {"tokens": {"at_least": 2000}}, "route": "big"},
        {"name": "default", "route": "small"},
    ]
