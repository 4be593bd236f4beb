"""Many streams at once, and clients that leave: vLLM's own metrics say what still runs there."""

import concurrent.futures
import contextlib
import time

from cases import CHAT, TEXT, chat
from checks import Check, long_stream, must, open_stream, text_of, words
from exchange import Answer, Exchange, ask, wait_until
from servers import Site, Vllm

LEFT_SECONDS = 1.0  # a client that goes away frees everything within one second
STREAMS = 20
CONNECTIONS, KEPT_SECONDS = 24, 5.0  # uvicorn, which vLLM is served by, keeps a quiet connection for so long

def twenty_streams(site: Site) -> str:
    """20 streams at once: each says what it says directly and alone; eight run, the rest wait at sluice"""
    small = site.vllm["small"]
    bodies = [
        chat(stream=True, max_tokens=48, messages=[{"role": "user", "content": f"Number {number}, say hello."}])
        for number in range(STREAMS)
    ]
    alone = [text_of(ask(small.port, "POST", CHAT, {"model": small.name} | body)) for body in bodies]
    with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
        running = [pool.submit(ask, site.sluice.port, "POST", CHAT, {"model": "small"} | body) for body in bodies]
        most_running, most_queued = watch(site, running)
        together = [text_of(one.result()) for one in running]
    different = sum(first != second for first, second in zip(alone, together, strict=True))
    must(different == 0, f"{different} of {STREAMS} said something else")
    must(len(set(alone)) > STREAMS // 2, "the answers are too much alike for this to show anything")
    must(0 < most_running <= 8, f"{most_running} ran at vLLM at one time")
    must(most_queued > 0, "none waited at sluice")
    return f"at most {most_running} at vLLM, {most_queued} waiting at sluice"


def watch(site: Site, running: list[concurrent.futures.Future[Answer]]) -> tuple[int, int]:
    """The most that ran at vLLM and that waited at sluice, until all are done."""
    most_running = most_queued = 0
    while not all(one.done() for one in running):
        most_queued = max(most_queued, int(site.sluice.status()["gpus"]["rtx3070"]["queued"]))
        most_running = max(most_running, site.vllm["small"].running())
    return most_running, most_queued


def leaving(how: str, stream: bool) -> Check:
    def check(site: Site) -> str:
        small = site.vllm["small"]
        exchange = Exchange(site.sluice.port, "POST", CHAT, long_stream("small") | {"stream": stream})
        if stream:
            exchange.read_events(4)
        wait_until(lambda: small.running() == 1, 20, "vLLM runs it")
        getattr(exchange, how)()
        took = wait_until(lambda: small.running() == 0, 10, "vLLM has dropped it")
        exchange.leave()
        must_be_idle(site, small)
        must(took <= LEFT_SECONDS, f"gone from vLLM only after {took:.2f} s")
        return f"gone from vLLM after {took:.2f} s"

    kind = "a stream" if stream else "a plain answer"
    way = "closes" if how == "leave" else "closes its sending side"
    check.__doc__ = f"a client that {way} during {kind}"
    return check


def must_be_idle(site: Site, vllm: Vllm) -> None:
    """Nothing is computed any more, and sluice counts nothing."""
    before = vllm.metric("generation_tokens_total")
    wait_until(lambda: site.sluice.in_flight(vllm.which) == 0, 1, "sluice counts none in flight")
    time.sleep(0.2)
    must(vllm.metric("generation_tokens_total") == before, "vLLM goes on making tokens")


def leaving_during_the_prefill(site: Site) -> str:
    """a client that closes during a long prefill, before any byte of the answer"""
    big = site.vllm["big"]
    body = {"model": "big", "prompt": words(28_000), "max_tokens": 4_000, "stream": True, "ignore_eos": True}
    exchange = Exchange(site.sluice.port, "POST", TEXT, body)
    wait_until(lambda: big.running() == 1, 20, "vLLM runs it")
    exchange.leave()
    took = wait_until(lambda: big.running() == 0, 30, "vLLM has dropped it")
    must_be_idle(site, big)
    return f"gone from vLLM after {took:.2f} s (vLLM ends the step that runs)"


def leaving_the_queue(site: Site) -> str:
    """a client that waits for a slot and closes never reaches vLLM"""
    small = site.vllm["small"]
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.callback(open_stream(site, "small").leave)
        waiting = Exchange(site.sluice.port, "POST", CHAT, long_stream("small"))
        wait_until(lambda: queued(site) == 1, 5, "one waits")
        waiting.leave()
        took = wait_until(lambda: queued(site) == 0, 5, "none waits")
        must(small.running() == 8, f"{small.running()} run at vLLM")
    wait_until(lambda: small.running() == 0, 5, "vLLM is idle")
    must(took <= LEFT_SECONDS, f"its place was free only after {took:.2f} s")
    return f"its place was free after {took:.2f} s"


def queued(site: Site) -> int:
    return int(site.sluice.status()["gpus"]["rtx3070"]["queued"])


def as_the_server_closes(site: Site) -> str:
    """24 connections kept open, each asked again in the moment in which vLLM's HTTP server closes it, after 5 s of quiet"""
    body = {"model": "small", "prompt": "Say hello."}
    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:

        def twice(number: int) -> list[Answer]:
            first = ask(site.sluice.port, "POST", "/tokenize", body)
            time.sleep(KEPT_SECONDS + (number - CONNECTIONS / 2) * 0.01)
            return [first, ask(site.sluice.port, "POST", "/tokenize", body)]

        answers = [answer for pair in pool.map(twice, range(CONNECTIONS)) for answer in pair]
    bad = [answer for answer in answers if answer.status != 200 or answer.headers["x-sluice-backend"] != "small"]
    must(not bad, f"{len(bad)} of {len(answers)} were not answered by small: {bad[0].text if bad else ''}")
    return f"{len(answers)} answers, all 200"


CROWD: list[Check] = [
    twenty_streams, leaving("leave", True), leaving("leave", False), leaving("stop_sending", True),
    leaving("stop_sending", False), leaving_during_the_prefill, leaving_the_queue, as_the_server_closes,
]
