"""Pure: reading a request, and writing a history down."""

from typing import Any

import pytest

from sluice_bridge.chat.request import Asked, Said, read
from sluice_bridge.chat.transcript import written
from sluice_bridge.errors import ApiError

MODELS = ("claude", "opus")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_a_whole_conversation() -> None:
    messages = [
        {"role": "system", "content": "Be terse."},
        user("One?"),
        {"role": "assistant", "content": "One."},
        {"role": "developer", "content": "In English."},
        user([{"type": "text", "text": "Two"}, {"type": "text", "text": "and three?"}]),
    ]
    body = {"model": "opus", "messages": messages, "stream": True, "stream_options": {"include_usage": True}}
    history = (Said("user", "One?"), Said("assistant", "One."))
    wanted = Asked("opus", "Be terse.\n\nIn English.", history, "Two\nand three?", stream=True, include_usage=True)
    assert read(body, MODELS) == wanted


def test_the_first_model_is_the_default_and_what_only_tunes_is_passed_over() -> None:
    body = {
        "messages": [user("Hi")],
        "temperature": 2,
        "max_tokens": 5,
        "seed": 1,
        "n": 1,
        "tools": [],
        "stream": None,
    }
    assert read(body, MODELS) == Asked("claude", "", (), "Hi", stream=False, include_usage=False)


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [user(" ")]}, "messages"),
        ({"messages": [user("a"), {"role": "assistant", "content": "b"}]}, "messages"),
        ({"messages": [{"role": "system", "content": "a"}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "assistant", "content": None}, user("a")]}, "messages[0].content"),
        (
            {"messages": [{"role": "assistant", "content": "", "tool_calls": [{}]}, user("a")]},
            "messages[0].tool_calls",
        ),
        (
            {"messages": [user([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}])]},
            "messages[0].content",
        ),
        ({"messages": [user([{"type": "text", "text": 1}])]}, "messages[0].content"),
        ({"model": 1}, "model"),
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": 1}, "stream_options"),
    ],
)
def test_what_cannot_be_followed_is_refused(changed: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as told:
        read({"messages": [user("Hi")], **changed}, MODELS)
    assert (told.value.status, told.value.param) == (400, param)


def test_an_unknown_model_is_told_the_known_ones() -> None:
    with pytest.raises(ApiError) as told:
        read({"messages": [user("Hi")], "model": "gpt"}, MODELS)
    assert told.value.status == 404
    assert "claude, opus" in told.value.message


def test_a_history_is_written_before_the_message() -> None:
    assert written((), "Hi") == "Hi"
    text = written((Said("user", "One?"), Said("assistant", "One.")), "Two?")
    assert text.index("<user>\nOne?\n</user>") < text.index("<assistant>\nOne.\n</assistant>") < text.index("Two?")
    assert text.endswith("\n\nTwo?")
