"""The composition: builds everything, listens, and decides nothing."""

import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import uvicorn

from sluice_bridge.metrics import Metrics
from sluice_bridge.opencode.client import Client
from sluice_bridge.opencode.process import OpenCode
from sluice_bridge.settings import Settings, secret
from sluice_bridge.talk import Talks
from sluice_bridge.web.app import application
from sluice_bridge.web.service import Service

_KEEP_ALIVE = 120  # seconds, longer than a proxy keeps an idle connection: it must not find a closed one
_HEAD = 16 << 10  # bytes of a request's head


def service(settings: Settings) -> Service:
    """Everything, not started."""
    key = secret(settings.key_file) if settings.key_file else None
    metrics = Metrics()
    opencode = OpenCode(settings)
    client = Client(opencode, settings)
    talks = Talks(settings, client, metrics)

    def started() -> None:
        metrics.starts.inc()
        talks.lost()

    opencode.on_start = started
    return Service(settings, key, opencode, client, talks, metrics)


class Server(uvicorn.Server):
    """The HTTP server, with everything behind it."""

    def __init__(self, settings: Settings) -> None:
        self.service = service(settings)
        super().__init__(
            uvicorn.Config(
                application(self.service),
                log_config=None,
                access_log=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=settings.shutdown_grace,
                h11_max_incomplete_event_size=_HEAD,
                http="h11",
                loop="asyncio",
                server_header=False,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Told to stop, it stops; it does not then die of the signal, which would be no success."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self.handle_exit)
        yield


def serve(settings: Settings) -> int:
    """Runs until it is told to stop."""
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for name in ("uvicorn", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    server = Server(settings)
    with bound(settings.host, settings.port) as listener:
        print(f"listening on {address(listener)}", flush=True)  # noqa: T201
        server.run(sockets=[listener])
    return 0


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def address(listener: socket.socket) -> str:
    """Where it is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
