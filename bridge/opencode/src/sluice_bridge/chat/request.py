"""A chat request: the members that OpenCode can follow, and a plain refusal for those that would be lost."""

from dataclasses import dataclass
from typing import Any

from sluice_bridge.errors import ApiError, invalid

_SYSTEM = ("system", "developer")
# Asked for and not given, these would change what the client gets without its knowing.
_REFUSED = {
    "tools": "tools are off here: this model only talks",
    "functions": "tools are off here: this model only talks",
    "audio": "there is no sound here: /v1/audio/speech speaks",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One turn of a conversation."""

    role: str  # "user" or "assistant"
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: the last user message, what was said before it, and the instructions."""

    model: str
    system: str
    history: tuple[Said, ...]
    text: str
    stream: bool
    include_usage: bool


def read(body: dict[str, Any], models: tuple[str, ...]) -> Asked:
    """Reads a body; ApiError where it cannot be followed. Members that only tune (temperature, …) are passed over."""
    _refuse(body)
    turns, system = [], []
    for number, message in enumerate(_messages(body)):
        role, text = _message(message, f"messages[{number}]")
        if role in _SYSTEM:
            system.append(text)
        else:
            turns.append(Said(role, text))
    if not turns or turns[-1].role != "user":
        raise invalid("the last message must be the user's", "messages")
    if not turns[-1].text.strip():
        raise invalid("the last message is empty", "messages")
    stream, usage = _stream(body)
    return Asked(_model(body, models), "\n\n".join(system), tuple(turns[:-1]), turns[-1].text, stream, usage)


def _model(body: dict[str, Any], models: tuple[str, ...]) -> str:
    model = body.get("model", models[0])
    if not isinstance(model, str):
        raise invalid("model must be a string", "model")
    if model not in models:
        raise ApiError(404, "model_not_found", f"no model {model!r}; there are: {', '.join(models)}", "model")
    return model


def _refuse(body: dict[str, Any]) -> None:
    for name, why in _REFUSED.items():
        if body.get(name):
            raise invalid(why, name)
    if body.get("n") not in (None, 1):
        raise invalid("n must be 1", "n")
    shape = body.get("response_format")
    if shape is not None and (not isinstance(shape, dict) or shape.get("type") != "text"):
        raise invalid("only the response format text can be given", "response_format")


def _messages(body: dict[str, Any]) -> list[Any]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages must be a list, and not empty", "messages")
    return messages


def _message(message: Any, place: str) -> tuple[str, str]:
    if not isinstance(message, dict):
        raise invalid(f"{place} must be an object", place)
    role = message.get("role")
    if role not in (*_SYSTEM, "user", "assistant"):
        raise invalid(f"{place}.role must be system, developer, user or assistant", f"{place}.role")
    if message.get("tool_calls"):
        raise invalid("tools are off here: this model only talks", f"{place}.tool_calls")
    return role, _text(message.get("content"), f"{place}.content")


def _text(content: Any, place: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid(f"{place} must be a string, or a list of text parts", place)
    parts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content]
    texts = [text for text in parts if isinstance(text, str)]
    if len(texts) != len(parts):
        raise invalid(f"{place}: only text can be read here", place)
    return "\n".join(texts)


def _stream(body: dict[str, Any]) -> tuple[bool, bool]:
    stream, options = body.get("stream"), body.get("stream_options")
    if stream not in (None, True, False):
        raise invalid("stream must be true or false", "stream")
    if options is not None and not isinstance(options, dict):
        raise invalid("stream_options must be an object", "stream_options")
    return bool(stream), bool((options or {}).get("include_usage"))
