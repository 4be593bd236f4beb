"""A server that dies and comes back. These come last, for they end `small`."""

import concurrent.futures
import contextlib
import http.client
import os
import signal

from cases import CHAT, chat
from checks import Check, long_stream, must, must_say, open_stream, text_of
from exchange import Exchange, ask, wait_until
from servers import Site, Vllm


def killed_before_its_first_token(site: Site) -> str:
    """small is killed when it has sent a stream's head and no token: big answers, and the client sees nothing of it"""
    small = site.vllm["small"]
    running = open_stream(site, "small")
    before = heads(small)
    freeze(small)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, site.sluice.port, "POST", CHAT, chat(model="small", stream=True))
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: heads(small) > before, 5, "vLLM has sent the head")
        sent = heads(small) > before
        must(not waiting.done(), "it was answered by a server that stands still")
        small.kill()
        answer = waiting.result()
    must_say(answer, 200, backend="big", attempts="2")
    said = text_of(answer)
    last = end_of(running)
    must('data: {"error"' in last, f"the stream that ran ended with {last[:200]!r}")
    head = "its head had been sent" if sent else "no head had been sent"
    return f"{head}; reason {answer.headers['x-sluice-reason']}, {len(said)} characters; a stream that ran ended with {last[-140:]}"


def heads(vllm: Vllm) -> int:
    """The heads of chats that a server has sent: it writes a line for each."""
    return vllm.log.read_text(errors="replace").count('/v1/chat/completions HTTP/1.1" 200')


def freeze(vllm: Vllm) -> None:
    """Stops what computes; the HTTP server goes on."""
    os.kill(vllm.engine(), signal.SIGSTOP)


def end_of(exchange: Exchange) -> str:
    """The last two lines of a stream, and how it broke off when it did not end as it should."""
    last: list[str] = []
    try:
        for line in exchange.events():
            last = [*last[-1:], line]
    except (http.client.HTTPException, OSError) as broken:
        last.append(f"({type(broken).__name__})")
    return " ".join(last)


def tells(end: str) -> bool:
    """A client can see from the end of a stream that it is not whole: by an error, or by why vLLM says it finished."""
    return '{"error"' in end or '"finish_reason":"abort"' in end or not end.endswith("data: [DONE]")


def available(site: Site, model: str = "small") -> bool:
    """What /v1/models says of a model."""
    return bool(ask(site.sluice.port, "GET", f"/v1/models/{model}").json()["sluice"]["available"])


def while_it_is_away(site: Site) -> str:
    """what comes next goes to big at once, and /v1/models says why"""
    answer = ask(site.sluice.port, "POST", CHAT, chat(model="small"))
    must_say(answer, 200, backend="big")
    must(answer.headers["x-sluice-reason"] in ("unhealthy", "connect_failed"), answer.headers["x-sluice-reason"])
    wait_until(lambda: not available(site), 10, "/v1/models says that small is not available")
    must(ask(site.sluice.port, "GET", "/health").status == 200, "/health is not 200 while big is up")
    return f"reason {answer.headers['x-sluice-reason']}"


def when_it_is_back(site: Site) -> str:
    """small is started again on its port: it is used again"""
    site.start_again("small")
    took = wait_until(lambda: available(site), 10, "/v1/models says that small is available")
    must_say(ask(site.sluice.port, "POST", CHAT, chat(model="small")), 200, backend="small", reason="matched")
    return f"{took:.1f} s after it was healthy"


def its_engine_dies(site: Site) -> str:
    """big's engine is killed and its HTTP server lives on for a moment: a stream that ran ends with an error, the next goes to small"""
    big = site.vllm["big"]
    running = open_stream(site, big.name)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        plain = pool.submit(ask, site.sluice.port, "POST", CHAT, long_stream(big.name) | {"stream": False})
        wait_until(lambda: big.running() == 2, 20, "vLLM runs both")
        os.kill(big.engine(), signal.SIGKILL)
        streamed, answer = end_of(running), plain.result()
    must(tells(streamed), f"the stream that ran ended with {streamed[-200:]!r}")
    wait_until(lambda: not available(site, big.name), 30, "/v1/models says that big is not available")
    must_say(ask(site.sluice.port, "POST", CHAT, chat(model=big.name)), 200, backend="small")
    return f"the stream ended with {streamed[-200:]}; the plain answer: {answer.status} from {answer.headers.get('x-sluice-backend')}, {answer.text[:110]}"


def it_is_asked_to_stop(site: Site) -> str:
    """small is asked to stop (SIGTERM) during a stream, and both are gone: 503, with Retry-After"""
    # How vLLM ends the stream is told and not judged: it is not the same each time, directly either.
    small = site.vllm["small"]
    running = open_stream(site, "small")
    small.stop()
    streamed = end_of(running)
    wait_until(lambda: not available(site), 10, "/v1/models says that small is not available")
    answer = ask(site.sluice.port, "POST", CHAT, chat(model="small"))
    must(answer.status == 503 and "retry-after" in answer.headers, f"{answer.status} {answer.text[:200]}")
    return f"ended with {streamed[-300:]}; then, with both gone: 503 {answer.json()['error']['code']}"


DYING: list[Check] = [
    killed_before_its_first_token, while_it_is_away, when_it_is_back, its_engine_dies, it_is_asked_to_stop
]
