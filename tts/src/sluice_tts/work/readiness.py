"""Whether the service can speak, and why not: what `/health` answers."""

import threading
from dataclasses import dataclass
from typing import Literal

State = Literal["loading", "unavailable", "out_of_memory", "stuck", "broken", "stopping", "ready"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A state, and for a person the reason."""

    state: State
    reason: str

    @property
    def ready(self) -> bool:
        """Whether a request is taken."""
        return self.state == "ready"


class Readiness:
    """The condition of the moment; set on the worker's thread, read on all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._condition = Condition("loading", "the model is being loaded and warmed up")

    def now(self) -> Condition:
        """The condition."""
        with self._lock:
            return self._condition

    def turn(self, state: State, reason: str = "") -> None:
        """Another condition; `stopping` and `broken` are for good."""
        with self._lock:
            if self._condition.state not in ("stopping", "broken"):
                self._condition = Condition(state, reason)
