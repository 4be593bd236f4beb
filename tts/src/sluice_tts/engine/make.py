"""The engine that the settings name."""

from sluice_tts.engine.base import Engine
from sluice_tts.engine.chatterbox import Chatterbox
from sluice_tts.engine.standin import Pace, StandIn
from sluice_tts.hub.first import FirstFetch
from sluice_tts.hub.weights import Weights
from sluice_tts.settings import Settings


def engine(settings: Settings) -> Engine:
    """Not loaded yet."""
    cache = settings.state_dir / "conditionals"
    if settings.engine == "standin":
        return StandIn(cache, settings.cached_voices, Pace(settings.standin_pace, settings.standin_log))
    weights = FirstFetch(settings) if settings.fetch else Weights(settings)
    return Chatterbox(settings.device, weights.folder, cache, settings.cached_voices)
