"""Answers as OpenAI writes them: one whole, or the events of a stream."""

import json
from dataclasses import dataclass
from typing import Any

from sluice_bridge.chat.usage import Usage

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Shapes:
    """The answer to one request."""

    id: str
    model: str
    created: int  # seconds since 1970

    def whole(self, text: str, finish: str, usage: Usage) -> dict[str, Any]:
        """A plain answer."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage.shape()}

    def begin(self) -> bytes:
        """A stream's first event."""
        return self._delta({"role": "assistant", "content": ""})

    def piece(self, text: str) -> bytes:
        """Some more of the text."""
        return self._delta({"content": text})

    def end(self, finish: str, usage: Usage, *, asked: bool) -> bytes:
        """A stream's last events. Usage has an event of its own where it was `asked` for; else it is on the last
        one, where sluice finds it to count the cost.
        """
        last = self._delta({}, finish, {} if asked else {"usage": usage.shape()})
        extra = {**self._head("chat.completion.chunk"), "choices": [], "usage": usage.shape()}
        return last + (event(extra) if asked else b"") + DONE

    def _delta(self, delta: dict[str, Any], finish: str | None = None, more: dict[str, Any] | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event({**self._head("chat.completion.chunk"), "choices": [choice], **(more or {})})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def event(value: dict[str, Any]) -> bytes:
    """One event of a stream."""
    return b"data: %s\n\n" % json.dumps(value, separators=(",", ":")).encode()
