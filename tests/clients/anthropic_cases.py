"""What Anthropic's Python client must find when it talks to sluice instead of Anthropic."""

import functools
from collections.abc import Callable
from typing import Any

import anthropic
from demo import Demo
from openai_cases import FAR_TOO_LONG, user
from stage import Stage


def client(world: Demo | Stage, **options: Any) -> Any:
    """A client without retries, unless they are asked for. Any: its unions of all answers are not what is tried."""
    return first_client(world.proxy).with_options(**options)


@functools.cache
def first_client(proxy: str) -> anthropic.Anthropic:
    """The one whose connections all the others use: to make one takes a tenth of a second."""
    return anthropic.Anthropic(base_url=proxy, api_key="sk-secret", max_retries=0, timeout=15)


def refused(kind: type[anthropic.APIStatusError], call: Callable[[], object]) -> dict[str, str]:
    """The error member of the answer that the call must raise, in Anthropic's shape."""
    try:
        call()
    except anthropic.APIStatusError as error:
        assert type(error) is kind, f"{type(error).__name__}, not {kind.__name__}: {error}"
        body: Any = error.body
        assert error.request_id and error.request_id == error.response.headers["x-request-id"], error.request_id
        assert body["type"] == "error", body
        return dict(body["error"])
    raise AssertionError(f"answered; {kind.__name__} was expected")


def case_a_message_is_answered(demo: Demo) -> None:
    answer = client(demo).messages.create(model="small", max_tokens=64, messages=user("hello there"))
    assert "qwen3-coder-7b" in answer.content[0].text and answer.stop_reason == "end_turn", answer
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, answer.usage
    assert answer._request_id, "Anthropic's client looks for it in a header of its own"


def case_a_message_streams(demo: Demo) -> None:
    with client(demo).messages.stream(model="big", max_tokens=64, messages=user("hello there")) as stream:
        words = list(stream.text_stream)
        whole = stream.get_final_message()
    assert len(words) >= 5 and "".join(words) == whole.content[0].text, words
    assert "qwen3-coder-14b" in whole.content[0].text and whole.stop_reason == "end_turn", whole


def case_a_tag_in_a_content_part_forces(demo: Demo) -> None:
    parts = [{"type": "text", "text": "hello"}, {"type": "text", "text": "#force_big"}]
    answer = client(demo).messages.with_raw_response.create(
        model="auto", max_tokens=64, system="be brief", messages=[{"role": "user", "content": parts}]
    )
    assert (answer.headers["x-sluice-backend"], answer.headers["x-sluice-rule"]) == ("big", "force-big")
    assert "force_big" not in answer.parse().content[0].text


def case_tokens_are_counted(demo: Demo) -> None:
    counted = client(demo).messages.count_tokens(model="small", messages=user("hello there"))
    assert counted.input_tokens > 0, counted


def case_an_unknown_model_is_not_found(demo: Demo) -> None:
    call = lambda: client(demo).messages.create(model="claude-17", max_tokens=8, messages=user("hello"))  # noqa: E731
    error = refused(anthropic.NotFoundError, call)
    assert error["type"] == "not_found_error" and "small" in error["message"], error


def case_a_prompt_that_fits_nowhere_says_so(demo: Demo) -> None:
    call = lambda: client(demo).messages.create(model="auto", max_tokens=8, messages=user(FAR_TOO_LONG))  # noqa: E731
    error = refused(anthropic.BadRequestError, call)
    assert "maximum context length is 32768 tokens" in error["message"], error
