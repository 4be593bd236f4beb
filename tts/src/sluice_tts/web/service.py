"""What the routes work with."""

from dataclasses import dataclass

from sluice_tts.engine.base import Engine
from sluice_tts.metrics import Metrics
from sluice_tts.settings import Settings
from sluice_tts.voices.store import Store
from sluice_tts.work.worker import Worker


@dataclass(frozen=True, slots=True)
class Service:
    """One running service."""

    settings: Settings
    engine: Engine
    store: Store
    worker: Worker
    metrics: Metrics

    @property
    def models(self) -> tuple[str, ...]:
        """Every model name that a request may use; the first is the real one."""
        return (self.settings.model_name, *self.settings.model_aliases)
