"""Keys: what the Python clients see of one that is wrong, one that may not, and one that asks too often."""

import hashlib
from typing import Any

import anthropic
import anthropic_cases
import openai
import openai_cases
from openai_cases import user
from stage import Json, Stage, id_of, script

KEY, SLOW_KEY = "sk-sluice-test-limited", "sk-sluice-test-slow"
CLIENTS: Json = {
    "limited": {"key_sha256": hashlib.sha256(KEY.encode()).hexdigest(), "models": ["small"]},
    "slow": {
        "key_sha256": hashlib.sha256(SLOW_KEY.encode()).hexdigest(), "models": ["all"],
        "rate": {"requests": 1, "per": "1h", "burst": 1},
    },
}


def openai_asks(stage: Stage, key: str, model: str) -> Json:
    """One chat; the options that it was sent with."""
    options = script()
    api = openai_cases.client(stage, api_key=key, max_retries=0)
    api.chat.completions.create(model=model, messages=user("hello"), **options)
    return options


def anthropic_asks(stage: Stage, key: str, model: str) -> Any:
    """One message."""
    api = anthropic_cases.client(stage, api_key=key, max_retries=0)
    return api.messages.create(model=model, max_tokens=8, messages=user("hello"), **script())


def case_openai_has_a_class_for_each(stage: Stage) -> None:
    seen = stage.seen(id_of(openai_asks(stage, KEY, "small")))
    assert [it.keys for it in seen] == [[]], seen
    wrong = openai_cases.refused(openai.AuthenticationError, lambda: openai_asks(stage, "sk-wrong", "small"))
    assert wrong.code == "invalid_api_key", wrong.body
    barred = openai_cases.refused(openai.PermissionDeniedError, lambda: openai_asks(stage, KEY, "big"))
    assert barred.code == "not_allowed", barred.body
    openai_asks(stage, SLOW_KEY, "small")
    often = openai_cases.refused(openai.RateLimitError, lambda: openai_asks(stage, SLOW_KEY, "small"))
    assert often.code == "rate_limited" and int(often.response.headers["retry-after"]) > 0, often.body


def case_anthropic_has_a_class_for_each(stage: Stage) -> None:
    assert anthropic_asks(stage, KEY, "small").stop_reason == "end_turn"
    kinds = [
        (anthropic.AuthenticationError, "sk-wrong", "small", "authentication_error"),
        (anthropic.PermissionDeniedError, KEY, "big", "permission_error"),
    ]
    for kind, key, model, name in kinds:
        error = anthropic_cases.refused(kind, lambda: anthropic_asks(stage, key, model))  # noqa: B023
        assert error["type"] == name, error
