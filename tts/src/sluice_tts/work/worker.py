"""The one thread that touches the engine: it loads it, warms it up, and serves one job after another.

Chatterbox keeps the current voice in the model, and torch its modes in the thread. So nothing else ever calls it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sluice_tts.audio.sound import Samples, seconds
from sluice_tts.engine.base import (
    BadReferenceError,
    BrokenError,
    Engine,
    OutOfMemoryError,
    StoppedError,
    UnavailableError,
)
from sluice_tts.errors import ApiError, invalid
from sluice_tts.metrics import Metrics
from sluice_tts.text.split import Piece
from sluice_tts.work.job import Failed, Finished, Job, Sound
from sluice_tts.work.line import Line
from sluice_tts.work.readiness import Condition, Readiness

log = logging.getLogger("sluice_tts")

_FULL = "the card's memory is used up; it is looked at again every few seconds"


@dataclass(frozen=True, slots=True)
class Times:
    """All in seconds."""

    load_retry: float  # between two tries to load the engine
    memory_retry: float  # between two looks at the card's memory
    piece: float  # that a piece may take before the engine counts as stuck


class Worker:
    """The thread, and the line before it."""

    def __init__(
        self, engine: Engine, line: Line, times: Times, metrics: Metrics, on_broken: Callable[[], None]
    ) -> None:
        """`on_broken` is called when only a new process can speak again."""
        self._engine, self._line, self._times, self._metrics = engine, line, times, metrics
        self._on_broken = on_broken
        self._readiness = Readiness()
        self._piece_began: float | None = None
        self._took = 5.0  # seconds for a job, of late
        self._serves: Job | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begins to load."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ends the thread, after the piece it makes; what waited is told so."""
        self._readiness.turn("stopping", "the service stops")
        for job in self._line.close():
            job.tell(Failed(self._refusal()))
        serves = self._serves
        if serves is not None:
            serves.leave()
        self._thread.join(timeout)

    def condition(self) -> Condition:
        """Whether it can speak; a piece that takes far too long says that it cannot."""
        began = self._piece_began
        if began is not None and time.monotonic() - began > self._times.piece:
            return Condition("stuck", f"a piece has taken more than {self._times.piece:g} s: restart the service")
        return self._readiness.now()

    def check(self) -> None:
        """503 when nothing can be spoken."""
        if not self.condition().ready:
            raise self._refusal()

    def submit(self, job: Job) -> None:
        """Puts a job in line; 503 when nothing can be spoken, 429 when the line is full."""
        self.check()
        if not self._line.join(job):
            waiting = len(self._line)
            message = f"{waiting} requests wait, as many as may"
            raise ApiError(429, "queue_full", message, retry_after=self._retry_after(waiting))
        self._metrics.waiting.set(len(self._line))

    def leave(self, job: Job) -> None:
        """Its client went away: it leaves the line, or stops at the next token."""
        job.leave()
        self._line.leave(job)
        self._metrics.waiting.set(len(self._line))

    # --- everything below runs on the thread ---

    def _run(self) -> None:
        while not self._line.closed and not self._made_ready():
            self._line.wait_closed(self._times.load_retry)
        while not self._line.closed:
            full = self._readiness.now().state == "out_of_memory"
            job = self._line.next(self._times.memory_retry if full else None)
            self._metrics.waiting.set(len(self._line))
            if job is not None:
                self._serve(job)
            elif full and self._engine.has_room():
                self._ready()

    def _made_ready(self) -> bool:
        """Loads and warms up; False: try again later."""
        began = time.monotonic()
        try:
            self._engine.load()
            self._engine.warm_up()
        except Exception as error:
            known = isinstance(error, UnavailableError | OutOfMemoryError)
            log.error("the engine is not ready: %s", error, exc_info=None if known else error)
            self._readiness.turn(
                "out_of_memory" if isinstance(error, OutOfMemoryError) else "unavailable", str(error)
            )
            return False
        self._ready()  # first: who reads the line may ask at once
        log.info("ready after %.1f s: %s", time.monotonic() - began, self._engine.name)
        return True

    def _ready(self) -> None:
        self._readiness.turn("ready")
        self._metrics.ready.set(1)

    def _not_ready(self, state: str, reason: str) -> None:
        self._readiness.turn("broken" if state == "broken" else "out_of_memory", reason)
        self._metrics.ready.set(0)

    def _serve(self, job: Job) -> None:
        began = time.monotonic()
        self._serves = job
        try:
            for number, piece in enumerate(job.pieces):
                job.tell(Sound(self._piece(job, piece, number), piece.pause))
            job.tell(Finished())
            self._took += 0.2 * (time.monotonic() - began - self._took)
        except StoppedError:
            log.debug("a client left: its synthesis is stopped")
        except ApiError as error:
            job.tell(Failed(error))
        except Exception as error:
            job.tell(Failed(self._failure(error)))
        finally:
            self._serves = self._piece_began = None

    def _piece(self, job: Job, piece: Piece, number: int) -> Samples:
        if job.left():
            raise StoppedError
        self._piece_began = began = time.monotonic()
        seed = (job.seed + number) % 2**32
        samples = self._engine.speak(piece.text, job.voice, seed, job.left)
        self._piece_began = None
        if not len(samples) or not np.isfinite(samples).all():
            raise ApiError(500, "engine_error", "the model made no sound of a piece of this text")
        self._metrics.spoke(seconds(samples), time.monotonic() - began)
        return samples

    def _failure(self, error: Exception) -> ApiError:
        if isinstance(error, BadReferenceError):
            return invalid(str(error), "voice", "invalid_voice")
        if isinstance(error, OutOfMemoryError):
            self._metrics.out_of_memory.inc()
            log.error("%s", error)
            self._not_ready("out_of_memory", _FULL)
            return self._refusal()
        if isinstance(error, BrokenError):
            log.critical("%s", error)
            self._not_ready("broken", str(error))
            self._on_broken()
            return self._refusal()
        log.exception("the engine failed", exc_info=error)
        return ApiError(500, "engine_error", "the model failed; the log has the reason")

    def _refusal(self) -> ApiError:
        condition = self.condition()
        return ApiError(503, condition.state, f"cannot speak now: {condition.reason}", retry_after=5)

    def _retry_after(self, waiting: int) -> int:
        """Seconds until a place is likely free: one job's time, at least 1."""
        return max(1, min(60, round(self._took * (1 if waiting else 0.5))))
