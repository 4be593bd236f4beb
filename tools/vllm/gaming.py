"""The gate: nothing unforced reaches big behind it, and what runs there when it closes is cut."""

import contextlib
from collections.abc import Iterator

from cases import CHAT, chat
from checks import Check, must, must_say, open_stream, words
from exchange import ask, wait_until
from servers import Site


@contextlib.contextmanager
def gaming(site: Site) -> Iterator[None]:
    """While somebody plays."""
    site.sluice.push("GAMING")
    try:
        yield
    finally:
        site.sluice.push("NORMAL")


def behind_a_closed_gate(site: Site) -> str:
    """behind a closed gate: the unforced goes to small, and big sees nothing of it; the forced reaches big, each of three ways"""
    big, heavy = site.vllm["big"], [{"role": "user", "content": words(3_000)}]
    before = big.metric("prompt_tokens_total")
    with gaming(site):
        must_say(ask(site.sluice.port, "POST", CHAT, chat(messages=heavy)), 200, backend="small", rule="gaming", gate="gaming_pc=closed")
        pinned = ask(site.sluice.port, "POST", CHAT, chat(model="qwen3-coder-14b"))
        must_say(pinned, 200, backend="small", reason="gate_closed")
        must(big.metric("prompt_tokens_total") == before, "big read an unforced prompt")
        tag = [{"role": "user", "content": "Say hello. #force_big"}]
        forced = {"x-force-big": "true"}
        must_say(ask(site.sluice.port, "POST", CHAT, chat(), forced), 200, backend="big", rule="force-big")
        must_say(ask(site.sluice.port, "POST", CHAT, chat(model="big")), 200, backend="big", rule="force-big")
        must_say(ask(site.sluice.port, "POST", CHAT, chat(messages=tag)), 200, backend="big", rule="force-big")
    must_say(ask(site.sluice.port, "POST", CHAT, chat(messages=heavy)), 200, backend="big", rule="heavy-by-tokens")
    return "by header, by name, by tag"


def a_gate_that_closes(site: Site) -> str:
    """a gate that closes during two streams of big: the unforced one is cut after the drain, the forced one runs on"""
    big = site.vllm["big"]
    unforced, forced = open_stream(site, "qwen3-coder-14b"), open_stream(site, "auto", x_force_big="true")
    must(big.running() == 2, f"{big.running()} run at vLLM")
    with gaming(site):
        took = wait_until(lambda: big.running() == 1, 5, "vLLM has dropped the unforced one")
        lines = list(unforced.events())
        must(lines[-1].startswith('data: {"error"'), f"its last event is {lines[-1][:200]!r}")
        forced.read_events(20)
        must(big.running() == 1, "the forced one does not run any more")
    forced.leave()
    unforced.leave()
    wait_until(lambda: big.running() == 0, 2, "vLLM is idle")
    must(0.7 <= took <= 2, f"cut after {took:.2f} s, with a drain of 1 s")
    return f"cut after {took:.2f} s (drain 1 s); {lines[-1][:160]}"


GATE: list[Check] = [behind_a_closed_gate, a_gate_that_closes]
