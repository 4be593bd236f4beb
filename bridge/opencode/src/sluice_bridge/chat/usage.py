"""What an answer took, as OpenCode reports it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, and what OpenCode reckons that they cost."""

    prompt: int = 0
    cached: int = 0  # those of the prompt that were read from the provider's cache
    completion: int = 0
    reasoning: int = 0  # those of the completion that were thoughts
    usd: float = 0.0

    @classmethod
    def read(cls, info: dict[str, Any]) -> "Usage":
        """From an assistant message: OpenCode counts cached and fresh tokens apart, and thoughts beside the text."""
        tokens = info.get("tokens") or {}
        cache = tokens.get("cache") or {}
        read, write = _whole(cache.get("read")), _whole(cache.get("write"))
        thought = _whole(tokens.get("reasoning"))
        prompt, completion = _whole(tokens.get("input")) + read + write, _whole(tokens.get("output")) + thought
        cost = info.get("cost")
        return cls(prompt, read, completion, thought, float(cost) if isinstance(cost, int | float) else 0.0)

    def shape(self) -> dict[str, Any]:
        """As OpenAI writes it."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


def _whole(value: Any) -> int:
    return max(0, int(value)) if isinstance(value, int | float) else 0
