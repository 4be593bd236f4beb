"""What OpenAI's Python client must find when it talks to sluice instead of OpenAI."""

import asyncio
import functools
import math
import time
from collections.abc import Callable
from typing import Any

import openai
from demo import Demo
from stage import Stage

# Over 1.25 times the largest window of the demo's backends, by any estimate.
FAR_TOO_LONG = "a word or two " * 25_000
# A peer sends a word every 60 ms: an answer that was gathered on the way arrives in one piece.
STREAMED_SECONDS = 0.2


def client(world: Demo | Stage, **options: Any) -> Any:
    """A client without retries, unless they are asked for. Any: its unions of all answers are not what is tried."""
    return first_client(world.proxy).with_options(**options)


@functools.cache
def first_client(proxy: str) -> openai.OpenAI:
    """The one whose connections all the others use: to make one takes a tenth of a second."""
    return openai.OpenAI(base_url=f"{proxy}/v1", api_key="sk-secret", max_retries=0, timeout=15)


def user(text: str) -> list[Any]:
    """A conversation of one user message."""
    return [{"role": "user", "content": text}]


def raw_chat(demo: Demo, text: str, model: str = "auto", **options: object) -> Any:
    """The raw answer to a chat of one message: its headers say what sluice decided."""
    return client(demo).chat.completions.with_raw_response.create(model=model, messages=user(text), **options)


def refused(kind: type[openai.APIStatusError], call: Callable[[], object]) -> openai.APIStatusError:
    """The error of this very kind that the call must raise."""
    try:
        call()
    except openai.APIStatusError as error:
        assert type(error) is kind, f"{type(error).__name__}, not {kind.__name__}: {error}"
        return error
    raise AssertionError(f"answered; {kind.__name__} was expected")


# --- models ------------------------------------------------------------------------------------------------


def case_models_are_listed(demo: Demo) -> None:
    models = {model.id: model for model in client(demo).models.list()}
    assert {"auto", "big", "small", "tts-1"} <= models.keys(), models.keys()
    extra = models["small"].model_extra
    assert extra["max_model_len"] == 16384, extra
    assert extra["sluice"]["backend"] == "small" and extra["sluice"]["available"] is True, extra


def case_one_model_is_described(demo: Demo) -> None:
    assert client(demo).models.retrieve("big").id == "big"


def case_an_unknown_model_is_not_described(demo: Demo) -> None:
    error = refused(openai.NotFoundError, lambda: client(demo).models.retrieve("gpt-17"))
    assert error.code == "model_not_found", error.body


# --- chat --------------------------------------------------------------------------------------------------


def case_a_chat_is_answered(demo: Demo) -> None:
    answer = client(demo).chat.completions.create(model="auto", messages=user("hello there"))
    assert "qwen3-coder-7b" in answer.choices[0].message.content, answer
    assert answer.choices[0].finish_reason == "stop", answer
    assert answer.usage.total_tokens > answer.usage.completion_tokens > 0, answer.usage


def case_an_output_limit_arrives(demo: Demo) -> None:
    answer = client(demo).chat.completions.create(model="small", messages=user("hello"), max_completion_tokens=3)
    assert answer.choices[0].finish_reason == "length" and answer.usage.completion_tokens == 3, answer


def case_every_character_arrives(demo: Demo) -> None:
    said = '"quoted" \\ tab\tno-break\u00a0café 🦀 中文 \x7f'
    answer = client(demo).chat.completions.create(model="small", messages=user(said))
    for word in ('"quoted"', "\\", "café", "🦀", "中文"):
        assert word in answer.choices[0].message.content, (word, answer.choices[0].message.content)


def case_a_long_history_goes_to_the_big_model(demo: Demo) -> None:
    history = user("a sentence of some length, said again and again. " * 60) * 12 + user("and now?")
    answer = client(demo).chat.completions.with_raw_response.create(model="auto", messages=history)
    assert answer.headers["x-sluice-rule"] == "heavy-by-tokens", answer.headers
    assert int(answer.headers["x-sluice-tokens"]) >= 2000, answer.headers
    assert answer.headers["x-sluice-backend"] == "big", answer.headers


# --- streams -----------------------------------------------------------------------------------------------


def case_a_stream_arrives_word_by_word(demo: Demo) -> None:
    times, words, reasons = [], [], []
    for chunk in client(demo).chat.completions.create(model="small", messages=user("hello there"), stream=True):
        assert chunk.usage is None, "usage was not asked for"
        if chunk.choices[0].delta.content:
            times.append(time.monotonic())
            words.append(chunk.choices[0].delta.content)
        reasons.append(chunk.choices[0].finish_reason)
    assert "qwen3-coder-7b" in "".join(words), words
    assert len(words) >= 5 and times[-1] - times[0] > STREAMED_SECONDS, (len(words), times[-1] - times[0])
    assert reasons[-1] == "stop" and not any(reasons[:-1]), reasons


def case_a_stream_reports_usage_when_asked(demo: Demo) -> None:
    options = {"include_usage": True}
    stream = client(demo).chat.completions.create(
        model="small", messages=user("hello"), stream=True, stream_options=options
    )
    *before, last = list(stream)
    assert last.choices == [] and last.usage.total_tokens > 0, last
    assert all(chunk.choices for chunk in before), before


def case_a_stream_can_be_left(demo: Demo) -> None:
    api = client(demo)
    with api.chat.completions.create(model="small", messages=user("hello"), stream=True) as stream:
        next(iter(stream))
    again = api.chat.completions.create(model="small", messages=user("once more"))
    assert "once more" in again.choices[0].message.content, again


# --- the other endpoints -----------------------------------------------------------------------------------


def case_a_completion_is_answered(demo: Demo) -> None:
    answer = client(demo).completions.create(model="small", prompt="once upon a time")
    assert answer.choices[0].text and answer.usage.total_tokens > 0, answer


def case_a_completion_streams(demo: Demo) -> None:
    chunks = list(client(demo).completions.create(model="small", prompt="once upon a time", stream=True))
    assert len(chunks) >= 5 and chunks[-1].choices[0].finish_reason == "stop", chunks


def case_a_response_is_answered(demo: Demo) -> None:
    answer = client(demo).responses.create(model="big", input="hello there", instructions="be brief")
    assert "qwen3-coder-14b" in answer.output_text and answer.status == "completed", answer
    assert answer.usage.output_tokens > 0, answer.usage


def case_a_response_streams(demo: Demo) -> None:
    events = list(client(demo).responses.create(model="small", input=user("hello there"), stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    words = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(words) == events[-1].response.output_text, words


def case_embeddings_are_answered(demo: Demo) -> None:
    answer = client(demo).embeddings.create(model="small", input=["one", "two", "one"])
    one, two, again = (item.embedding for item in answer.data)
    assert one and all(math.isfinite(number) for number in one), one
    assert one == again != two


def case_speech_is_spoken(demo: Demo) -> None:
    answer = client(demo).audio.speech.with_raw_response.create(model="tts-1", voice="alloy", input="good evening")
    assert answer.content.startswith(b"RIFF") and len(answer.content) > 1000, len(answer.content)
    assert answer.headers["x-sluice-backend"] == "tts", answer.headers
    assert answer.headers["x-sluice-rule"] == "path", answer.headers


# --- which model answers -----------------------------------------------------------------------------------


def case_the_headers_say_what_was_decided(demo: Demo) -> None:
    headers = raw_chat(demo, "hello").headers
    expected = {"backend": "small", "rule": "default", "reason": "matched", "gate": "gaming_pc=open", "attempts": "1"}
    assert {name: headers.get(f"x-sluice-{name}") for name in expected} == expected, headers
    assert 0 < int(headers["x-sluice-tokens"]) < 100, headers
    assert headers["x-request-id"], headers


def case_a_request_id_is_kept(demo: Demo) -> None:
    answer = raw_chat(demo, "hello", extra_headers={"X-Request-Id": "client-test.1"})
    assert answer.headers["x-request-id"] == "client-test.1", answer.headers
    assert answer.parse()._request_id == "client-test.1"


def case_the_model_named_big_is_the_big_one(demo: Demo) -> None:
    answer = raw_chat(demo, "hello", model="big")
    assert (answer.headers["x-sluice-backend"], answer.headers["x-sluice-rule"]) == ("big", "force-big")
    assert answer.parse().model == "qwen3-coder-14b"


def case_a_pinned_model_skips_the_rules(demo: Demo) -> None:
    headers = raw_chat(demo, "please refactor this", model="small").headers
    assert (headers["x-sluice-backend"], headers["x-sluice-rule"]) == ("small", "model:small"), headers


def case_a_tag_forces_and_is_not_seen_by_the_model(demo: Demo) -> None:
    answer = raw_chat(demo, "think about it #force_big")
    assert (answer.headers["x-sluice-backend"], answer.headers["x-sluice-rule"]) == ("big", "force-big")
    said = answer.parse().choices[0].message.content
    assert "think about it" in said and "force_big" not in said, said


def case_an_old_tag_does_not_force(demo: Demo) -> None:
    history = [*user("first #force_big"), {"role": "assistant", "content": "#force_big"}, *user("second")]
    answer = client(demo).chat.completions.with_raw_response.create(model="auto", messages=history)
    assert answer.headers["x-sluice-backend"] == "small", answer.headers


def case_a_header_forces(demo: Demo) -> None:
    for value, backend in (("true", "big"), ("YES", "big"), ("1", "big"), ("false", "small"), ("no", "small")):
        headers = raw_chat(demo, "hello", extra_headers={"X-Force-Big": value}).headers
        assert headers["x-sluice-backend"] == backend, (value, headers)


# --- errors ------------------------------------------------------------------------------------------------


def case_an_unknown_model_is_not_found(demo: Demo) -> None:
    error = refused(openai.NotFoundError, lambda: raw_chat(demo, "hello", model="gpt-17"))
    assert error.code == "model_not_found", error.body
    assert "small" in error.message and "big" in error.message, error.message
    assert error.response.headers["x-request-id"] and "x-sluice-backend" not in error.response.headers


def case_a_prompt_that_fits_nowhere_says_so(demo: Demo) -> None:
    error = refused(openai.BadRequestError, lambda: raw_chat(demo, FAR_TOO_LONG))
    assert error.code == "context_length_exceeded", error.body
    assert "maximum context length is 32768 tokens" in error.message, error.message


def case_a_header_that_is_neither_yes_nor_no_is_refused(demo: Demo) -> None:
    call = lambda: raw_chat(demo, "hello", extra_headers={"X-Force-Big": "maybe"})  # noqa: E731
    assert refused(openai.BadRequestError, call).code == "invalid_header"


def case_a_speech_model_does_not_chat(demo: Demo) -> None:
    error = refused(openai.BadRequestError, lambda: raw_chat(demo, "hello", model="tts-1"))
    assert error.code == "invalid_request", error.body


def case_a_path_that_is_not_served_is_not_found(demo: Demo) -> None:
    error = refused(openai.NotFoundError, lambda: client(demo).moderations.create(input="hello"))
    assert error.code == "unknown_path", error.body


# --- many at once ------------------------------------------------------------------------------------------


def case_twenty_at_once_get_their_own_answers(demo: Demo) -> None:
    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(
            base_url=f"{demo.proxy}/v1", api_key="none", max_retries=0, timeout=30
        ) as api:
            calls = (
                api.chat.completions.create(model="small", messages=user(f"number {number}")) for number in range(20)
            )
            return [str(answer.choices[0].message.content) for answer in await asyncio.gather(*calls)]

    for number, said in enumerate(asyncio.run(all_of_them())):
        assert f"number {number}" in said, (number, said)
