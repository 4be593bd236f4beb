"""The composition: builds everything, listens, and decides nothing."""

import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import uvicorn

from sluice_tts.engine.base import Engine
from sluice_tts.engine.make import engine as made_engine
from sluice_tts.metrics import Metrics
from sluice_tts.settings import Settings
from sluice_tts.voices.store import Store
from sluice_tts.web.app import application
from sluice_tts.web.service import Service
from sluice_tts.work.line import Line
from sluice_tts.work.worker import Times, Worker

_KEEP_ALIVE = 120  # seconds, longer than a proxy keeps an idle connection: it must not find a closed one
_HEAD = 16 << 10  # bytes of a request's head


def store(settings: Settings) -> Store:
    """The voices of these settings."""
    return Store(settings.state_dir / "voices", settings.max_voices, settings.voice_aliases)


def service(settings: Settings, on_broken: Callable[[], None], engine: Engine | None = None) -> Service:
    """Everything, not started. `on_broken` is called when only a new process can speak again."""
    engine = engine or made_engine(settings)
    metrics = Metrics()
    times = Times(settings.load_retry, settings.memory_retry, settings.piece_timeout)
    worker = Worker(engine, Line(settings.max_queue), times, metrics, on_broken)
    return Service(settings, engine, store(settings), worker, metrics)


class Server(uvicorn.Server):
    """The HTTP server, with everything behind it."""

    def __init__(self, settings: Settings, engine: Engine | None = None) -> None:
        self.service = service(settings, self._end, engine)
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

    def _end(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Told to stop, it stops; it does not then die of the signal, which would be no success."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self.handle_exit)
        yield


def serve(settings: Settings) -> int:
    """Runs until it is told to stop; 0 then, 1 when only a new process can go on."""
    logging.basicConfig(
        level=settings.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))
    server = Server(settings)
    with bound(settings.host, settings.port) as listener:
        print(f"listening on {address(listener)}", flush=True)  # noqa: T201
        server.run(sockets=[listener])
    return 1 if server.service.worker.condition().state == "broken" else 0


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def address(listener: socket.socket) -> str:
    """Where it is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
