"""The speech service: OpenAI's /v1/audio/speech on Chatterbox Turbo, one voice at a time, one piece at a time."""

__version__ = "0.1.0"
