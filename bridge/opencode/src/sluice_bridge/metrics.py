"""Every metric of the service. Labels take only names from closed lists: a client cannot make a new series."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sluice_bridge import __version__
from sluice_bridge.chat.usage import Usage

_SECONDS = (0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """One service's metrics, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = to = CollectorRegistry()
        self.requests = Counter("bridge_requests", "Answers to chat completions", ["status"], registry=to)
        self.duration = Histogram("bridge_request_seconds", "Until the last byte", buckets=_SECONDS, registry=to)
        self.aborts = Counter("bridge_client_aborts", "Clients that left before the end", registry=to)
        self.running = Gauge("bridge_running", "Requests that are being answered", registry=to)
        self.sessions = Gauge("bridge_sessions", "Conversations that are kept", registry=to)
        self.reused = Counter("bridge_sessions_reused", "Requests that went on in their session", registry=to)
        self.tokens = Counter("bridge_tokens", "As the provider reports them", ["kind"], registry=to)
        self.cost = Counter("bridge_cost_usd", "What OpenCode reckons from its list of prices", registry=to)
        self.up = Gauge("bridge_opencode_up", "1: opencode runs", registry=to)
        self.starts = Counter("bridge_opencode_starts", "Times that opencode was started", registry=to)
        Gauge("bridge_build_info", "1, with the version", ["version"], registry=to).labels(__version__).set(1)

    def spent(self, usage: Usage) -> None:
        """What an answer took."""
        self.tokens.labels("prompt").inc(usage.prompt)
        self.tokens.labels("completion").inc(usage.completion)
        self.cost.inc(usage.usd)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)
