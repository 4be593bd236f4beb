"""What Anthropic's Python client sees when things go wrong: cancelling, retries, refusals, answers that break."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import anthropic
from anthropic_cases import client, refused
from openai_cases import user
from stage import BODY_LIMIT, ENDLESS, RETRY_AFTER_SECONDS, Stage, eventually, id_of, script


def ask(api: Any, model: str, options: dict[str, Any], **more: Any) -> Any:
    return api.messages.create(model=model, max_tokens=64, messages=user("hello"), **options, **more)


# --- cancelling --------------------------------------------------------------------------------------------


def case_a_stream_that_is_closed_frees_its_slot(stage: Stage) -> None:
    options = script(**ENDLESS)
    with client(stage).messages.stream(
        model="patient", max_tokens=64, messages=user("hello"), **options
    ) as stream:
        next(iter(stream.text_stream))
        assert stage.load("long_queue") == (1, 0)
    stage.soon_free("long_queue")
    eventually(lambda: stage.seen(id_of(options))[0].gone, "the peer sees it go", 1)


def case_a_task_that_is_cancelled_frees_its_slot(stage: Stage) -> None:
    async def leave() -> None:
        async with anthropic.AsyncAnthropic(
            base_url=stage.proxy, api_key="none", max_retries=0, timeout=15
        ) as api:
            waits = asyncio.create_task(
                api.messages.create(model="patient", max_tokens=64, messages=user("hello"), **options)
            )
            await asyncio.to_thread(stage.soon_loaded, "long_queue", 1)
            await asyncio.to_thread(stage.soon_asked, id_of(options))
            waits.cancel()
            await asyncio.to_thread(stage.soon_free, "long_queue")

    options = script(silent_seconds=15)
    asyncio.run(leave())
    eventually(lambda: stage.seen(id_of(options))[0].gone, "the peer sees it go", 1)


def case_a_client_that_times_out_frees_its_slot(stage: Stage) -> None:
    try:
        ask(client(stage, timeout=0.3), "patient", script(silent_seconds=15))
    except anthropic.APITimeoutError:
        stage.soon_free("long_queue")
        return
    raise AssertionError("answered; APITimeoutError was expected")


# --- retries -----------------------------------------------------------------------------------------------


def case_what_may_pass_is_asked_again(stage: Stage) -> None:
    for status in (408, 409, 429, 500, 502, 503, 504, 529):
        options = script(statuses=[status], headers={"retry-after-ms": "20"})
        assert ask(client(stage, max_retries=2), "small", options).stop_reason == "end_turn", status
        assert [it["status"] for it in stage.decisions(id_of(options), 2)] == [status, 200], status
        assert len(stage.seen(id_of(options))) == 2, status


def case_what_will_not_pass_is_asked_once(stage: Stage) -> None:
    for status in (400, 401, 403, 404, 413, 422):
        options = script(statuses=[status] * 3)
        try:
            ask(client(stage, max_retries=2), "small", options)
        except anthropic.APIStatusError as error:
            assert error.status_code == status, error
        assert len(stage.seen(id_of(options))) == 1, status


def case_a_peers_retry_after_is_honoured(stage: Stage) -> None:
    options = script(statuses=[429], headers={"retry-after": str(int(RETRY_AFTER_SECONDS))})
    ask(client(stage, max_retries=1), "small", options)
    first, second = (seen.at for seen in stage.seen(id_of(options)))
    assert second - first >= RETRY_AFTER_SECONDS, second - first


def case_a_full_queue_is_asked_again_after_its_retry_after(stage: Stage) -> None:
    stream = ask(client(stage), "full", script(**ENDLESS), stream=True)
    options = script()
    leaving = threading.Timer(0.5, stream.close)
    leaving.start()
    began = time.monotonic()
    answer = ask(client(stage, max_retries=2), "full", options)
    took = time.monotonic() - began
    leaving.join()
    assert answer.stop_reason == "end_turn" and took >= RETRY_AFTER_SECONDS, (took, answer)
    assert [it["status"] for it in stage.decisions(id_of(options), 2)] == [429, 200]
    assert len(stage.seen(id_of(options))) == 1, "the refused one must not reach a peer"


# --- a class for each refusal ------------------------------------------------------------------------------


def refusal(stage: Stage, kind: type[anthropic.APIStatusError], model: str, **plan: Any) -> str:
    """The `type` of the refusal that the call must meet."""
    return refused(kind, lambda: ask(client(stage), model, script(**plan)))["type"]


def case_a_body_that_is_too_large(stage: Stage) -> None:
    call = lambda: client(stage).messages.create(  # noqa: E731
        model="small", max_tokens=8, messages=user("x" * (2 * BODY_LIMIT))
    )
    assert refused(anthropic.ContentTooLargeError, call)["type"] == "request_too_large"


def case_a_body_of_the_wrong_shape(stage: Stage) -> None:
    wrong: Any = "no list"
    call = lambda: client(stage).messages.create(model="small", max_tokens=8, messages=wrong)  # noqa: E731
    assert refused(anthropic.BadRequestError, call)["type"] == "invalid_request_error"


def case_a_queue_that_is_full(stage: Stage) -> None:
    with ask(client(stage), "full", script(**ENDLESS), stream=True):
        assert refusal(stage, anthropic.RateLimitError, "full") == "rate_limit_error"
    stage.soon_free("no_queue")


def case_a_queue_that_takes_too_long(stage: Stage) -> None:
    with ask(client(stage), "late", script(**ENDLESS), stream=True):
        assert refusal(stage, anthropic.GatewayTimeoutError, "late") == "timeout_error"
    stage.soon_free("short_queue")


def case_nobody_who_could_answer(stage: Stage) -> None:
    for model in ("dead", "shut"):
        assert refusal(stage, anthropic.ServiceUnavailableError, model) == "overloaded_error", model


def case_a_peer_that_hangs_up(stage: Stage) -> None:
    assert refusal(stage, anthropic.InternalServerError, "small", statuses=[0, 0, 0]) == "api_error"


def case_a_peer_that_says_nothing(stage: Stage) -> None:
    assert refusal(stage, anthropic.GatewayTimeoutError, "silent", silent_seconds=15) == "timeout_error"


def case_a_peers_own_refusals_have_their_classes(stage: Stage) -> None:
    kinds = {
        400: anthropic.BadRequestError, 401: anthropic.AuthenticationError, 403: anthropic.PermissionDeniedError,
        404: anthropic.NotFoundError, 409: anthropic.ConflictError, 422: anthropic.UnprocessableEntityError,
        429: anthropic.RateLimitError, 500: anthropic.InternalServerError, 529: anthropic.OverloadedError,
    }
    for status, kind in kinds.items():
        try:
            ask(client(stage), "small", script(statuses=[status]))
        except anthropic.APIStatusError as error:
            assert type(error) is kind and error.status_code == status, (status, error)
        else:
            raise AssertionError(f"{status}: answered")


# --- answers that break ------------------------------------------------------------------------------------


def broken(read: Callable[[], object]) -> str | None:
    """The `type` of the error that reading a stream must end with."""
    try:
        read()
    except anthropic.APIStatusError as error:
        return error.type
    raise AssertionError("the stream looked whole")


def case_a_stream_that_breaks_says_so(stage: Stage) -> None:
    words: list[str] = []

    def read() -> None:
        with client(stage).messages.stream(
            model="small", max_tokens=64, messages=user("hello"), **script(cut_after=4)
        ) as stream:
            words.extend(stream.text_stream)

    assert broken(read) == "api_error"
    assert "".join(words) == "small-model word1 ", words


def case_a_plain_answer_that_breaks_looks_broken(stage: Stage) -> None:
    try:
        ask(client(stage), "small", script(cut_after=1))
    except anthropic.APIConnectionError:
        return
    raise AssertionError("answered; APIConnectionError was expected")


def case_a_gate_that_closes_cuts_the_stream(stage: Stage) -> None:
    stage.push("cuts", "NORMAL")

    def read() -> None:
        for number, _ in enumerate(ask(client(stage), "cut", script(**ENDLESS), stream=True)):
            if number == 2:
                stage.push("cuts", "GAMING")

    assert broken(read) == "api_error"
