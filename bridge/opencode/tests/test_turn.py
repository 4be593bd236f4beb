"""Pure: what events of opencode, as they were seen, come to."""

from typing import Any

import pytest

from sluice_bridge.chat.conversations import Session
from sluice_bridge.chat.failures import failure, next_try, retrying
from sluice_bridge.chat.turn import Ended, Failed, Piece, Retry, Step, Turn
from sluice_bridge.chat.usage import Usage

TOKENS = {"input": 5, "output": 7, "reasoning": 2, "cache": {"read": 30, "write": 4}}


def event(kind: str, session: str = "s", **properties: Any) -> dict[str, Any]:
    return {"id": "evt", "type": kind, "properties": {"sessionID": session, **properties}}


def message(identity: str = "new", role: str = "assistant", **more: Any) -> dict[str, Any]:
    return event("message.updated", info={"id": identity, "role": role, "time": {"created": 1}, **more})


def part(text: str = "", kind: str = "text", of: str = "new", identity: str = "p") -> dict[str, Any]:
    return event("message.part.updated", part={"id": identity, "messageID": of, "type": kind, "text": text})


def delta(text: str, of: str = "p") -> dict[str, Any]:
    return event("message.part.delta", partID=of, messageID="new", field="text", delta=text)


def told(*events: dict[str, Any]) -> list[Step]:
    turn = Turn(Session("s", frozenset({"old"})), 1000)
    return [step for step in map(turn.on, events) if step is not None]


def test_an_answer_from_its_first_word_to_its_end() -> None:
    end = message(finish="stop", tokens=TOKENS, cost=0.25)
    steps = told(
        {"type": "server.connected", "properties": {}},
        message("u", role="user"),
        part("The question", of="u", identity="q"),
        message(),
        part("", kind="reasoning", identity="thought"),
        delta("Hm.", of="thought"),
        part(),
        delta("Good "),
        delta("evening."),
        part("Good evening."),
        end,
        event("session.idle"),
    )
    ended = Ended("stop", Usage(39, 30, 9, 2, 0.25), Session("s", frozenset({"old", "new"})))
    assert steps == [Piece("Good "), Piece("evening."), ended]


def test_what_its_deltas_did_not_tell_is_told_by_the_part() -> None:
    steps = told(message(), part(), delta("Good "), part("Good evening."))
    assert steps == [Piece("Good "), Piece("evening.")]


def test_other_sessions_and_older_turns_are_passed_over() -> None:
    steps = told(
        event("session.idle"),
        event("session.error", session="t", error={"name": "UnknownError"}),
        message("old", finish="stop"),
        part("Old words", of="old"),
        event("session.idle"),
        {"type": "session.idle"},
        {"type": "session.idle", "properties": None},
    )
    assert steps == []


def test_an_answer_that_is_over_when_it_is_first_told() -> None:
    # events are written when they are sent: the first of an answer may know its end already
    over = message(finish="length", tokens=TOKENS)
    assert [type(step) for step in told(over, part(), delta("Hi"), over, event("session.idle"))] == [Piece, Ended]


@pytest.mark.parametrize("kind", ["permission.asked", "question.asked"])
def test_a_tool_ends_it(kind: str) -> None:
    for last in (part(kind="tool"), event(kind)):
        (step,) = told(message(), last)
        assert isinstance(step, Failed)
        assert "tools are off" in step.error.message


@pytest.mark.parametrize("finish", ["tool-calls", None, "unknown"])
def test_an_end_that_is_none_is_a_failure(finish: str | None) -> None:
    (step,) = told(message(), message(finish=finish), event("session.idle"))
    assert isinstance(step, Failed)


def test_errors_and_retries() -> None:
    wrong = {"name": "APIError", "data": {"message": "no", "statusCode": 400}}
    for last in (event("session.error", error=wrong), message(error=wrong)):
        (step,) = told(message(), last)
        assert isinstance(step, Failed)
        assert step.error.status == 400
    status = {"type": "retry", "attempt": 1, "message": "Too Many Requests", "next": 61_000}
    assert told(event("session.status", status=status)) == [Retry(status)]
    assert told(event("session.status", status={"type": "busy"})) == []
    assert next_try(status) == 61.0
    assert retrying(status, now=31.5).retry_after == 30


@pytest.mark.parametrize(
    ("error", "status", "code", "after"),
    [
        ({"name": "APIError", "data": {"statusCode": 401, "message": "x"}}, 502, "upstream_error", None),
        ({"name": "APIError", "data": {"statusCode": 422, "message": "x"}}, 400, "invalid_request", None),
        ({"name": "APIError", "data": {"statusCode": 529, "message": "x"}}, 502, "upstream_error", None),
        (
            {"name": "APIError", "data": {"statusCode": 429, "responseHeaders": {"retry-after": "9"}}},
            429,
            "rate_limited",
            9,
        ),
        (
            {"name": "APIError", "data": {"statusCode": 429, "responseHeaders": {"retry-after": "soon"}}},
            429,
            "rate_limited",
            1,
        ),
        ({"name": "APIError", "data": {"statusCode": 429}}, 429, "rate_limited", 1),
        ({"name": "ContextOverflowError", "data": {"message": "x"}}, 400, "context_length_exceeded", None),
        ({"name": "ProviderAuthError", "data": {"message": "x"}}, 502, "upstream_error", None),
        ({"name": "MessageAbortedError", "data": {"message": "Aborted"}}, 502, "upstream_error", None),
        ({}, 502, "upstream_error", None),
        ("nonsense", 502, "upstream_error", None),
        (None, 502, "upstream_error", None),
    ],
)
def test_what_opencode_says_of_failures(error: Any, status: int, code: str, after: int | None) -> None:
    answer = failure(error, 1000)
    assert (answer.status, answer.code, answer.retry_after) == (status, code, after)
    if code == "context_length_exceeded":
        assert "maximum context length is 1000 tokens" in answer.message
