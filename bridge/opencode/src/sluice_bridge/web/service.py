"""What the routes work with."""

from dataclasses import dataclass

from sluice_bridge.metrics import Metrics
from sluice_bridge.opencode.client import Client
from sluice_bridge.opencode.process import OpenCode
from sluice_bridge.settings import Settings
from sluice_bridge.talk import Talks


@dataclass(frozen=True, slots=True)
class Service:
    """One running service."""

    settings: Settings
    key: str | None  # what a client has to send, where one is asked for
    opencode: OpenCode
    client: Client
    talks: Talks
    metrics: Metrics
