"""What sluice says in codes, said in words: who answered and why, and what went wrong, in one sentence."""

import re

from .sluice import BrokenError, RefusedError, Route, UnreachableError

# Why the backend that was meant did not answer: the values of `x-sluice-reason`.
REASONS = {
    "gate_closed": "somebody is playing on the card that was meant",
    "gate_unknown": "it is not known whether somebody plays on the card that was meant",
    "asleep": "the model that was meant is asleep",
    "unhealthy": "the model that was meant is not well",
    "connect_failed": "the model that was meant cannot be reached",
    "upstream_error": "the model that was meant failed",
    "upstream_timeout": "the model that was meant took too long",
    "over_context": "the conversation is too long for the model that was meant",
    "queue_full": "too many wait for the card that was meant",
    "queue_timeout": "the wait for the card that was meant grew too long",
    "not_allowed": "this bot may not use the model that was meant",
    "over_budget": "the budget of the model that was meant is spent",
}

# What a refusal means to the one who asked. `{wait}` becomes "in 5 s" or "later".
ERRORS = {
    "no_backend_available": "No model can answer at the moment; try again {wait}.",
    "overloaded": "Too much is going on at the moment; try again {wait}.",
    "rate_limited": "That was too much in too short a time; try again {wait}.",
    "over_budget": "The budget for this is spent; try again {wait}.",
    "queue_full": "Too many wait for an answer already; try again {wait}.",
    "queue_timeout": "The wait for a free card grew too long; try again {wait}.",
    "upstream_timeout": "The model took too long; try again {wait}.",
    "upstream_error": "The model failed; try again {wait}.",
    "gate_closed": "Somebody began to play, and the card was needed for that.",
    "body_too_large": "That is too large to be read.",
    "invalid_api_key": "sluice does not take this bot's key: whoever runs it should look at SLUICE_KEY.",
    "not_allowed": "This bot may not use that model: whoever runs sluice can allow it in `policy.yaml`.",
    "model_not_found": "sluice does not know the model that this bot asks for: BOT_MODEL or BOT_SPEECH_MODEL is wrong.",
}
LONGEST_QUOTE = 200

_FOOTER = re.compile(r"\n\n_(?:answered by|cut off) [^\n]*_\Z")


def footer(route: Route, model: str, finish: str | None) -> str:
    """The line under an answer: who gave it and, where it was not the one that was meant, why."""
    who = f"{route.backend} ({model})" if model and model != route.backend else route.backend
    if route.reason != "matched":
        who += f": {REASONS.get(route.reason, route.reason)}"
    elif route.shut:
        who += f"; {', '.join(route.shut)} is not open"
    if finish == "length":
        who += "; it reached its greatest length"
    return f"\n\n_answered by {who}_"


def cut_off(why: str) -> str:
    """The line under an answer that did not come to its end."""
    return f"\n\n_cut off here: {why[:1].lower()}{why[1:].rstrip('.')}_"


def without_footer(message: str) -> str:
    """An answer as the model gave it."""
    return _FOOTER.sub("", message)


def sentence(error: RefusedError | UnreachableError | BrokenError) -> str:
    """What went wrong."""
    match error:
        case UnreachableError():
            return "sluice cannot be reached; try again later."
        case BrokenError():
            return ERRORS.get(error.code, "The answer stopped before its end; try again {wait}.").format(wait="later")
        case RefusedError():
            return _refusal(error)


def _refusal(error: RefusedError) -> str:
    wait = f"in {error.retry_after} s" if error.retry_after else "later"
    if error.code == "context_length_exceeded":
        limit = re.search(r"maximum context length is (\d+) tokens", error.message)
        return f"That is too long{f' for {limit[1]} tokens' if limit else ''}: ask shorter, or in a new thread."
    if error.code in ERRORS:
        return ERRORS[error.code].format(wait=wait)
    said = " ".join(error.message.split())[:LONGEST_QUOTE].rstrip(".") or "no reason given"
    return f"That was refused ({error.code or error.status}): {said}."
