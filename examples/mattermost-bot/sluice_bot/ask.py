"""What a post asks of the bot: whether it is meant at all, the question, and the tags."""

import re
from dataclasses import dataclass

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_SPEAK = re.compile(r"(?i)(?<!\S)#speak\b")
# Tags of sluice's policy are none of the bot's business and stay; they only make no question by themselves.
_TAG = re.compile(r"(?<!\S)#\w+")

EMPTY = "Write your question after my name; `#force_big` asks the big model, `#speak` lets me say the answer aloud."


@dataclass(frozen=True)
class Ask:
    """A question."""

    text: str
    """Without the bot's name and `#speak`."""
    speak: bool

    @property
    def tags(self) -> str:
        """The tags of a post that is nothing else, else nothing."""
        return self.text if self.text and not _TAG.sub("", self.text).strip() else ""


def is_mentioned(message: str, name: str) -> bool:
    """Whether the name stands in a message as `@name`, outside of code."""
    return bool(_mention(name).search(_CODE.sub(" ", message)))


def read(message: str, name: str) -> Ask:
    """The question of a message to the bot."""
    text = _mention(name).sub(" ", message, count=1) if is_mentioned(message, name) else message
    return Ask(_SPEAK.sub("", text).strip(), bool(_SPEAK.search(_CODE.sub(" ", message))))


def _mention(name: str) -> re.Pattern[str]:
    # Names hold letters, digits, dots, dashes and underscores; a dot at the end of a sentence is none of the name's.
    return re.compile(rf"(?i)(?<![\w.@-])@{re.escape(name)}(?![\w-]|\.\w)")
