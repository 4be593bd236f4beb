"""What OpenAI's Python client sees when things go wrong: cancelling, retries, refusals, answers that break."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import openai
from openai_cases import FAR_TOO_LONG, client, refused, user
from stage import BODY_LIMIT, ENDLESS, RETRY_AFTER_SECONDS, Stage, eventually, id_of, script


def chat(api: Any, model: str, options: dict[str, Any], **more: Any) -> Any:
    return api.chat.completions.create(model=model, messages=user("hello"), **options, **more)


def asynchronously(stage: Stage, work: Callable[[Any], Any]) -> Any:
    """Runs work with the asynchronous client in a loop of its own."""

    async def whole() -> Any:
        async with openai.AsyncOpenAI(
            base_url=f"{stage.proxy}/v1", api_key="none", max_retries=0, timeout=15
        ) as api:
            return await work(api)

    return asyncio.run(whole())


# --- cancelling --------------------------------------------------------------------------------------------


def case_a_stream_that_is_closed_frees_its_slot(stage: Stage) -> None:
    options = script(**ENDLESS)
    stream = chat(client(stage), "patient", options, stream=True)
    next(iter(stream))
    assert stage.load("long_queue") == (1, 0)
    stream.close()
    stage.soon_free("long_queue")
    eventually(lambda: stage.seen(id_of(options))[0].gone, "the peer sees it go", 1)
    assert [it["aborted"] for it in stage.decisions(id_of(options), 1)] == [True]


def case_a_task_that_is_cancelled_frees_its_slot(stage: Stage) -> None:
    async def leave(api: Any, options: dict[str, Any], stream: bool) -> None:
        task = asyncio.create_task(read(api, options, stream))
        await asyncio.to_thread(stage.soon_loaded, "long_queue", 1)
        await asyncio.to_thread(stage.soon_asked, id_of(options))
        await asyncio.sleep(0.1 if stream else 0)
        task.cancel()
        await asyncio.to_thread(stage.soon_free, "long_queue")
        assert task.cancelled()

    async def read(api: Any, options: dict[str, Any], stream: bool) -> None:
        answer: Any = await api.chat.completions.create(
            model="patient", messages=user("hello"), stream=stream, **options
        )
        async for _ in answer:
            pass

    for options, stream in ((script(**ENDLESS), True), (script(silent_seconds=15), False)):
        asynchronously(stage, lambda api: leave(api, options, stream))  # noqa: B023
        eventually(lambda: stage.seen(id_of(options))[0].gone, "the peer sees it go", 1)  # noqa: B023


def case_who_leaves_the_queue_takes_no_slot(stage: Stage) -> None:
    async def leave(api: Any) -> None:
        first = await api.chat.completions.create(
            model="patient", messages=user("hello"), stream=True, **script(**ENDLESS)
        )
        waits = asyncio.create_task(
            api.chat.completions.create(model="patient", messages=user("hello"), **options)
        )
        await asyncio.to_thread(stage.soon_loaded, "long_queue", 1, 1)
        waits.cancel()
        await asyncio.to_thread(eventually, lambda: stage.load("long_queue") == (1, 0), "the queue is empty", 1)
        await first.close()
        await asyncio.to_thread(stage.soon_free, "long_queue")

    options = script()
    asynchronously(stage, leave)
    assert stage.seen(id_of(options)) == []


def case_a_client_that_times_out_frees_its_slot(stage: Stage) -> None:
    try:
        chat(client(stage, timeout=0.3), "patient", script(silent_seconds=15))
    except openai.APITimeoutError:
        stage.soon_free("long_queue")
        return
    raise AssertionError("answered; APITimeoutError was expected")


# --- retries -----------------------------------------------------------------------------------------------


def case_what_may_pass_is_asked_again(stage: Stage) -> None:
    for status in (408, 409, 429, 500, 502, 503, 504):
        options = script(statuses=[status], headers={"retry-after-ms": "20"})
        answer = chat(client(stage, max_retries=2), "small", options)
        assert answer.choices[0].finish_reason == "stop", answer
        seen, decided = stage.seen(id_of(options)), stage.decisions(id_of(options), 2)
        assert len(seen) == 2, (status, seen)
        assert [it["status"] for it in decided] == [status, 200], (status, decided)


def case_what_will_not_pass_is_asked_once(stage: Stage) -> None:
    for status in (400, 401, 403, 404, 413, 422):
        options = script(statuses=[status] * 3)
        try:
            chat(client(stage, max_retries=2), "small", options)
        except openai.APIStatusError as error:
            assert error.status_code == status, error
        assert len(stage.seen(id_of(options))) == 1, status


def case_retries_come_to_an_end(stage: Stage) -> None:
    options = script(statuses=[500] * 9, headers={"retry-after-ms": "20"})
    refused(openai.InternalServerError, lambda: chat(client(stage, max_retries=2), "small", options))
    assert len(stage.seen(id_of(options))) == 3


def case_a_peers_retry_after_is_honoured(stage: Stage) -> None:
    for status in (429, 503):
        options = script(statuses=[status], headers={"retry-after": str(int(RETRY_AFTER_SECONDS))})
        chat(client(stage, max_retries=1), "small", options)
        first, second = (seen.at for seen in stage.seen(id_of(options)))
        assert second - first >= RETRY_AFTER_SECONDS, (status, second - first)


def case_a_full_queue_is_asked_again_after_its_retry_after(stage: Stage) -> None:
    stream = chat(client(stage), "full", script(**ENDLESS), stream=True)
    options = script()
    leaving = threading.Timer(0.5, stream.close)
    leaving.start()
    began = time.monotonic()
    answer = chat(client(stage, max_retries=2), "full", options)
    took = time.monotonic() - began
    leaving.join()
    assert answer.choices[0].finish_reason == "stop" and took >= RETRY_AFTER_SECONDS, (took, answer)
    assert [it["status"] for it in stage.decisions(id_of(options), 2)] == [429, 200]
    assert len(stage.seen(id_of(options))) == 1, "the refused one must not reach a peer"


def case_a_closed_gate_is_asked_again_after_its_retry_after(stage: Stage) -> None:
    stage.push("cuts", "GAMING")
    options = script()
    opening = threading.Timer(0.5, stage.push, ("cuts", "NORMAL"))
    opening.start()
    answer = chat(client(stage, max_retries=1), "cut", options)
    opening.join()
    refusal, second = stage.decisions(id_of(options), 2)
    assert (refusal["status"], refusal["reason"], second["status"]) == (503, "gate_closed", 200), (refusal, second)
    assert answer.choices[0].finish_reason == "stop", answer


def case_a_refusal_for_good_is_asked_once(stage: Stage) -> None:
    for model, said in (("small", FAR_TOO_LONG[: BODY_LIMIT // 2]), ("gpt-17", "hello")):
        options = script()
        with contextlib.suppress(openai.BadRequestError, openai.NotFoundError):
            client(stage, max_retries=2).chat.completions.create(model=model, messages=user(said), **options)
        assert [it["outcome"] for it in stage.decisions(id_of(options), 1)] == ["refuse"], model
        assert stage.seen(id_of(options)) == [], model


# --- a class for each refusal ------------------------------------------------------------------------------


def refusal(stage: Stage, kind: type[openai.APIStatusError], model: str, **plan: Any) -> openai.APIStatusError:
    return refused(kind, lambda: chat(client(stage), model, script(**plan)))


def case_a_body_that_is_too_large(stage: Stage) -> None:
    said = "x" * (2 * BODY_LIMIT)
    call = lambda: client(stage).chat.completions.create(model="small", messages=user(said))  # noqa: E731
    error = refused(openai.APIStatusError, call)
    assert (error.status_code, error.code) == (413, "body_too_large"), error


def case_a_body_of_the_wrong_shape(stage: Stage) -> None:
    wrong: Any = "no list"
    call = lambda: client(stage).chat.completions.create(model="small", messages=wrong)  # noqa: E731
    error = refused(openai.BadRequestError, call)
    assert (error.code, error.param, error.type) == ("invalid_request", "messages", "invalid_request_error"), error


def case_a_body_that_is_not_json(stage: Stage) -> None:
    fields = {"content-type": "text/plain"}
    error = refused(openai.APIStatusError, lambda: chat(client(stage), "small", {"extra_headers": fields}))
    assert (error.status_code, error.code) == (415, "unsupported_media_type"), error


def case_a_method_that_is_not_served(stage: Stage) -> None:
    call = lambda: client(stage).chat.completions.list()  # noqa: E731
    error = refused(openai.APIStatusError, call)
    assert (error.status_code, error.code, error.response.headers["allow"]) == (405, "method_not_allowed", "POST")


def case_a_queue_that_is_full(stage: Stage) -> None:
    with chat(client(stage), "full", script(**ENDLESS), stream=True):
        error = refusal(stage, openai.RateLimitError, "full")
    assert (error.code, error.type, error.response.headers["retry-after"]) == ("queue_full", "rate_limit_error", "1")
    assert error.response.headers["x-sluice-reason"] == "queue_full", error.response.headers
    stage.soon_free("no_queue")


def case_a_queue_that_takes_too_long(stage: Stage) -> None:
    with chat(client(stage), "late", script(**ENDLESS), stream=True):
        error = refusal(stage, openai.InternalServerError, "late")
    assert (error.status_code, error.code) == (504, "queue_timeout"), error
    stage.soon_free("short_queue")


def case_nobody_who_could_answer(stage: Stage) -> None:
    for model, reason in (("dead", "unhealthy"), ("shut", "gate_unknown")):
        error = refusal(stage, openai.InternalServerError, model)
        assert (error.status_code, error.code, error.type) == (503, "no_backend_available", "server_error"), error
        fields = error.response.headers
        assert (fields["x-sluice-reason"], int(fields["retry-after"]) > 0) == (reason, True), fields


def case_a_peer_that_hangs_up(stage: Stage) -> None:
    error = refusal(stage, openai.InternalServerError, "small", statuses=[0, 0, 0])
    assert (error.status_code, error.code) == (502, "upstream_error"), error


def case_a_peer_that_says_nothing(stage: Stage) -> None:
    error = refusal(stage, openai.InternalServerError, "silent", silent_seconds=15)
    assert (error.status_code, error.code) == (504, "upstream_timeout"), error


def case_a_peers_own_refusals_pass_through(stage: Stage) -> None:
    kinds = {
        400: openai.BadRequestError, 401: openai.AuthenticationError, 403: openai.PermissionDeniedError,
        404: openai.NotFoundError, 409: openai.ConflictError, 422: openai.UnprocessableEntityError,
        429: openai.RateLimitError, 500: openai.InternalServerError, 503: openai.InternalServerError,
    }
    for status, kind in kinds.items():
        error = refusal(stage, kind, "small", statuses=[status], headers={"x-of-the-peer": "kept"})
        assert (error.status_code, error.type) == (status, "ScriptedError"), error
        assert error.response.headers["x-of-the-peer"] == "kept", error.response.headers
        assert error.response.headers["x-sluice-backend"] == "small", error.response.headers


# --- answers that break ------------------------------------------------------------------------------------


def broken(read: Callable[[], object]) -> openai.APIError:
    """The error that reading a stream must end with."""
    try:
        read()
    except openai.APIError as error:
        return error
    raise AssertionError("the stream looked whole")


def case_a_stream_that_breaks_says_so(stage: Stage) -> None:
    words: list[str] = []

    def read() -> None:
        for chunk in chat(client(stage), "small", script(cut_after=3), stream=True):
            words.append(chunk.choices[0].delta.content)

    error = broken(read)
    assert type(error) is openai.APIError and error.code == "upstream_error", (type(error), error.body)
    assert "".join(words) == "small-model word1 ", words


def case_a_response_whose_stream_breaks_says_so(stage: Stage) -> None:
    def read() -> None:
        for _ in client(stage).responses.create(model="small", input="hello", stream=True, **script(cut_after=5)):
            pass

    assert broken(read).code == "upstream_error"


def case_a_plain_answer_that_breaks_looks_broken(stage: Stage) -> None:
    try:
        chat(client(stage), "small", script(cut_after=1))
    except openai.APIConnectionError:
        return
    raise AssertionError("answered; APIConnectionError was expected")


def case_a_gate_that_closes_cuts_the_stream(stage: Stage) -> None:
    stage.push("cuts", "NORMAL")

    def read() -> None:
        for number, _ in enumerate(chat(client(stage), "cut", script(**ENDLESS), stream=True)):
            if number == 1:
                stage.push("cuts", "GAMING")

    error = broken(read)
    assert error.code == "gate_closed", error.body
