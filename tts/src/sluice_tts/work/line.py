"""Who waits for the worker: first come, first served, no more than so many, and whoever leaves is gone."""

import threading
from collections import deque

from sluice_tts.work.job import Job


class Line:
    """Jobs that wait. Thread-safe."""

    def __init__(self, most: int) -> None:
        """`most`: how many may wait beside the one that is served."""
        self._most = most
        self._jobs: deque[Job] = deque()
        self._serving = False
        self._closed = False
        self._changed = threading.Condition()

    def join(self, job: Job) -> bool:
        """Takes a job in; False when as many wait as may, or the line is closed."""
        with self._changed:
            if self._closed or len(self._jobs) + self._serving > self._most:
                return False
            self._jobs.append(job)
            self._changed.notify()
            return True

    def leave(self, job: Job) -> None:
        """Takes a job out, if it still waits."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)

    def next(self, timeout: float | None) -> Job | None:
        """The next to be served; None when the time, in seconds, is up or the line is closed."""
        with self._changed:
            self._serving = False
            self._changed.wait_for(lambda: self._closed or self._jobs, timeout)
            if not self._jobs or self._closed:
                return None
            self._serving = True
            return self._jobs.popleft()

    def close(self) -> list[Job]:
        """Nobody is taken in any more; gives those who waited."""
        with self._changed:
            self._closed = True
            waited = list(self._jobs)
            self._jobs.clear()
            self._changed.notify_all()
            return waited

    def wait_closed(self, timeout: float) -> bool:
        """Waits so many seconds, or until the line is closed; says whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed, timeout)

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        with self._changed:
            return self._closed

    def __len__(self) -> int:
        with self._changed:
            return len(self._jobs)
