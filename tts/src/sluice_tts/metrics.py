"""Every metric of the service. Labels take only names from closed lists: a client cannot make a new series."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sluice_tts import __version__

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """One service's metrics, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = to = CollectorRegistry()
        self.requests = Counter("tts_requests", "Answers to /v1/audio/speech", ["status", "format"], registry=to)
        self.first_audio = _histogram("tts_first_audio_seconds", "Until the first piece is made", to)
        self.duration = _histogram("tts_request_seconds", "Until the last byte", to)
        self.aborts = Counter("tts_client_aborts", "Clients that left before the end", registry=to)
        self.waiting = Gauge("tts_waiting", "Requests in line", registry=to)
        self.ready = Gauge("tts_ready", "1: can speak", registry=to)
        self.out_of_memory = Counter("tts_out_of_memory", "Pieces for which the memory did not suffice", registry=to)
        self.pieces = Counter("tts_pieces", "Pieces made", registry=to)
        self.audio = Counter("tts_audio_seconds", "Seconds of sound made", registry=to)
        self.work = Counter("tts_synthesis_seconds", "Seconds spent on making it", registry=to)
        Gauge("tts_build_info", "1, with the version", ["version"], registry=to).labels(__version__).set(1)

    def spoke(self, sound: float, work: float) -> None:
        """A piece: seconds of sound, seconds of work."""
        self.pieces.inc()
        self.audio.inc(sound)
        self.work.inc(work)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)


def _histogram(name: str, about: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(name, about, buckets=_SECONDS, registry=registry)
