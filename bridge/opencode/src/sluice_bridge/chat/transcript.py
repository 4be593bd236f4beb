"""A conversation as one text, for a session that has not seen it: OpenCode takes no turns of an assistant."""

from sluice_bridge.chat.request import Said

_BEFORE = "This conversation has been going on for a while. What was said until now:"
_NOW = "What the user says now, and what you answer:"


def written(history: tuple[Said, ...], text: str) -> str:
    """The message for a new session: the text alone, or the history before it."""
    if not history:
        return text
    turns = "\n\n".join(f"<{turn.role}>\n{turn.text}\n</{turn.role}>" for turn in history)
    return f"{_BEFORE}\n\n{turns}\n\n{_NOW}\n\n{text}"
