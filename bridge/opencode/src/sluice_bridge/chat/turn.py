"""One prompt in one session, as its events tell it: a machine without a clock, from event to what is to be done."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sluice_bridge.chat.conversations import Session
from sluice_bridge.chat.failures import failure
from sluice_bridge.chat.usage import Usage
from sluice_bridge.errors import ApiError, upstream

_FINISHES = {"stop": "stop", "length": "length", "content-filter": "content_filter"}
_TOOL = "the model asked for a tool, and tools are off here; nothing was run"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some more of the text."""

    text: str


@dataclass(frozen=True, slots=True)
class Retry:
    """OpenCode will ask the provider again."""

    status: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is whole; the session can be gone on with."""

    finish: str
    usage: Usage
    session: Session


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no answer, or no more of it."""

    error: ApiError


Step = Piece | Retry | Ended | Failed


@dataclass(slots=True)
class Turn:
    """What is known so far."""

    session: Session
    context_window: int
    _answer: dict[str, Any] = field(default_factory=dict)  # the assistant's message
    _texts: dict[str, str] = field(default_factory=dict)  # of its text parts, what has been told

    def on(self, event: dict[str, Any]) -> Step | None:
        """An event of the stream, which has those of all sessions."""
        properties = event.get("properties")
        if not isinstance(properties, dict) or properties.get("sessionID") != self.session.id:
            return None
        told = _TOLD.get(str(event.get("type")))
        return told(self, properties) if told else None

    def _message(self, properties: dict[str, Any]) -> Step | None:
        info = properties.get("info") or {}
        if info.get("role") != "assistant":
            return None
        if not self._answer:
            # an older turn's may be told again
            if info.get("id") in self.session.answers:
                return None
        elif info.get("id") != self._answer["id"]:
            return None
        self._answer = info
        return Failed(failure(info["error"], self.context_window)) if info.get("error") else None

    def _part(self, properties: dict[str, Any]) -> Step | None:
        part = properties.get("part") or {}
        if not self._answer or part.get("messageID") != self._answer["id"]:
            return None
        if part.get("type") == "tool":
            return Failed(upstream(_TOOL))
        if part.get("type") != "text":
            return None
        told, text = self._texts.get(part["id"], ""), str(part.get("text") or "")
        # normally its deltas have told all of it
        rest = text[len(told) :] if text.startswith(told) else ""
        self._texts[part["id"]] = told + rest
        return Piece(rest) if rest else None

    def _over(self) -> Session:
        return Session(self.session.id, self.session.answers | {self._answer["id"]})

    def _delta(self, properties: dict[str, Any]) -> Step | None:
        part, text = properties.get("partID"), properties.get("delta")
        if part not in self._texts or properties.get("field") != "text" or not isinstance(text, str):
            return None  # a thought, or another message's
        self._texts[part] += text
        return Piece(text) if text else None

    def _status(self, properties: dict[str, Any]) -> Step | None:
        status = properties.get("status") or {}
        return Retry(status) if status.get("type") == "retry" else None

    def _error(self, properties: dict[str, Any]) -> Step | None:
        return Failed(failure(properties.get("error"), self.context_window))

    def _asking(self, _: dict[str, Any]) -> Step | None:
        return Failed(upstream(_TOOL))

    def _idle(self, _: dict[str, Any]) -> Step | None:
        if not self._answer:
            return None  # an older turn's, told again
        finish = self._answer.get("finish")
        if finish not in _FINISHES:
            why = _TOOL if finish == "tool-calls" else f"OpenCode ended the answer without its end: {finish}"
            return Failed(upstream(why))
        return Ended(_FINISHES[finish], Usage.read(self._answer), self._over())


_TOLD: dict[str, Callable[[Turn, dict[str, Any]], Step | None]] = {
    "message.updated": Turn._message,
    "message.part.updated": Turn._part,
    "message.part.delta": Turn._delta,
    "session.status": Turn._status,
    "session.error": Turn._error,
    "session.idle": Turn._idle,
    # it waits for somebody to allow something, or to choose
    "permission.asked": Turn._asking,
    "question.asked": Turn._asking,
}
