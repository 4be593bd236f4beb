"""A server that dies and comes back. These come last, for they end `small`."""

import concurrent.futures
import contextlib
import http.client
import os
import signal

from cases import CHAT, chat
from checks import Check, must, must_say, open_stream, text_of
from servers import Site, Vllm
from wire import Exchange, ask, wait_until


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
    last = last_line(running)
    must(last.startswith('data: {"error"'), f"the stream that ran ended with {last[:200]!r}")
    head = "its head had been sent" if sent else "no head had been sent"
    return f"{head}; reason {answer.headers['x-sluice-reason']}, {len(said)} characters; a stream that ran ended with {last[:120]}"


def heads(vllm: Vllm) -> int:
    """The heads of chats that a server has sent: it writes a line for each."""
    return vllm.log.read_text(errors="replace").count('/v1/chat/completions HTTP/1.1" 200')


def freeze(vllm: Vllm) -> None:
    """Stops what computes; the HTTP server goes on."""
    os.kill(vllm.engine(), signal.SIGSTOP)


def last_line(exchange: Exchange) -> str:
    last = ""
    with contextlib.suppress(http.client.HTTPException, OSError):
        for line in exchange.events():
            last = line
    return last


def available(site: Site) -> bool:
    """What /v1/models says of small."""
    return bool(ask(site.sluice.port, "GET", "/v1/models/small").json()["sluice"]["available"])


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


DYING: list[Check] = [killed_before_its_first_token, while_it_is_away, when_it_is_back]
