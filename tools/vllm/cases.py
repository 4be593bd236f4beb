"""The requests that are sent both ways: to a vLLM server directly, under its own name, and through sluice."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from answers import body_difference, difference, masked
from exchange import Answer, ask
from servers import Site

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
RESPONSES, MESSAGES, COUNT = "/v1/responses", "/v1/messages", "/v1/messages/count_tokens"

SAY = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello to the lock keeper."}]
MIXED = [{"role": "user", "content": "Grüße: 你好, здравствуйте, 👋🏽 \ud83d\ude80 — \"quoted\" \\ and\ttabs\n"}]
FIXED: dict[str, Any] = {"temperature": 0, "seed": 7}
STREAM = {"stream": True}
USAGE = {"stream": True, "stream_options": {"include_usage": True}}

TOOL = {
    "name": "weather",
    "description": "The weather at a place.",
    "parameters": {
        "type": "object",
        "properties": {"place": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
        "required": ["place", "unit"],
    },
}
TOOLS = {"tools": [{"type": "function", "function": TOOL}]}
NAMED = TOOLS | {"tool_choice": {"type": "function", "function": {"name": "weather"}}}
ANTHROPIC_TOOLS = {"tools": [{"name": "weather", "description": "The weather.", "input_schema": TOOL["parameters"]}]}
CALLED: list[dict[str, Any]] = [
    *SAY,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_12345678",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"place": "the lock", "unit": "C"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_12345678", "content": "12 degrees, rain"},
]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"enum": ["yes", "no"]}}}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]}]


@dataclass(frozen=True)
class Case:
    """A request without its model. `alias` is the name that sluice gets; None leaves the model out."""

    name: str
    path: str
    body: Mapping[str, Any]
    status: int = 200
    backend: str = "small"
    alias: str | None = "small"
    headers: Mapping[str, str] = field(default_factory=dict)
    direct_body: Mapping[str, Any] | None = None


def chat(**more: Any) -> dict[str, Any]:
    return FIXED | {"max_tokens": 24, "messages": SAY} | more


def text(**more: Any) -> dict[str, Any]:
    return FIXED | {"max_tokens": 24, "prompt": "The gate is"} | more


def responses(**more: Any) -> dict[str, Any]:
    return {"temperature": 0, "max_output_tokens": 24, "input": "Say hello to the lock keeper."} | more


def messages(**more: Any) -> dict[str, Any]:
    return {"temperature": 0, "max_tokens": 24, "system": "Be brief.", "messages": SAY[1:]} | more


def tagged(tag: str) -> dict[str, Any]:
    turns = [{"role": "user", "content": f"Old.{tag}"}, {"role": "assistant", "content": "Yes."}]
    return chat(messages=[*turns, {"role": "user", "content": f"Say{tag} hello."}])


def too_long() -> str:
    """About 36,000 tokens: more than big's window, and by less than a quarter, so that sluice lets it through."""
    return " ".join(["The keeper of the upper lock looks at the water and waits."] * 2_770)


CASES = [
    Case("chat", CHAT, chat()),
    Case("chat, to big", CHAT, chat(), backend="big", alias="big"),
    Case("chat, no model named", CHAT, chat(), alias=None),
    Case("chat, many scripts and escapes", CHAT, chat(messages=MIXED)),
    Case("chat, content in parts", CHAT, chat(messages=[{"role": "user", "content": [{"type": "text", "text": "Hello"}]}])),
    Case("chat, two choices with logprobs", CHAT, chat(n=2, temperature=1, logprobs=True, top_logprobs=2)),
    Case("chat, stop words and penalties", CHAT, chat(stop=["e"], presence_penalty=0.5, max_completion_tokens=64)),
    Case("chat, sampled with a seed", CHAT, chat(temperature=1, top_p=0.9)),
    Case("chat, JSON schema", CHAT, chat(response_format=SCHEMA)),
    Case("chat, fields that only vLLM has", CHAT, chat(top_k=5, min_tokens=4, return_token_ids=True)),
    Case("chat stream", CHAT, chat(**STREAM)),
    Case("chat stream, to big", CHAT, chat(**STREAM), backend="big", alias="big"),
    Case("chat stream with usage", CHAT, chat(**USAGE)),
    Case("chat stream, many scripts, 200 tokens", CHAT, chat(messages=MIXED, max_tokens=200, **STREAM)),
    Case("chat stream, logprobs", CHAT, chat(logprobs=True, top_logprobs=3, **STREAM)),
    Case("tools", CHAT, chat(**TOOLS)),
    Case("tools, one named", CHAT, chat(**NAMED)),
    Case("tools, stream", CHAT, chat(**TOOLS, **STREAM)),
    Case("tools, one named, stream", CHAT, chat(**NAMED, **USAGE)),
    Case("tools, a call and its answer", CHAT, chat(messages=CALLED, **TOOLS)),
    Case("responses", RESPONSES, responses()),
    Case("responses, instructions and items", RESPONSES, responses(instructions="Be brief.", input=SAY[1:])),
    Case("responses, stream", RESPONSES, responses(**STREAM)),
    Case("messages", MESSAGES, messages()),
    Case("messages, stream", MESSAGES, messages(**STREAM)),
    Case("messages, tools", MESSAGES, messages(**ANTHROPIC_TOOLS)),
    Case("messages, tools, stream", MESSAGES, messages(**ANTHROPIC_TOOLS, **STREAM)),
    Case("count_tokens", COUNT, {"system": "Be brief.", "messages": SAY[1:]}),
    Case("completions with logprobs", TEXT, text(logprobs=3)),
    Case("completions, echo", TEXT, text(echo=True)),
    Case("completions, two prompts", TEXT, text(prompt=["The gate is", "The lock is"])),
    Case("completions, token ids", TEXT, text(prompt=[785, 16538, 374])),
    Case("completions, stream with usage", TEXT, text(**USAGE)),
    Case("tokenize a prompt", "/tokenize", {"prompt": "The gate is open.", "return_token_strs": True}),
    Case("tokenize messages with tools", "/tokenize", {"messages": SAY} | TOOLS),
    Case("detokenize", "/detokenize", {"tokens": [785, 16538, 374, 1787]}),
    Case("embeddings: this model has none", "/v1/embeddings", {"input": "The gate is"}, 404),
    Case("image: this model takes none", CHAT, chat(messages=IMAGE), 400),
    Case("temperature out of range", CHAT, chat(temperature=-1), 400),
    Case("no messages", CHAT, {"max_tokens": 4}, 400),
    Case("prompt over the window that sluice lets through", TEXT, text(prompt=too_long()), 400, "big", "big"),
    Case("the same, as a stream", TEXT, text(prompt=too_long(), **STREAM), 400, "big", "big"),
    Case("a tag, removed everywhere", CHAT, tagged(" #force_big"), backend="big", alias="auto", direct_body=tagged(" ")),
    Case("forced by a header", CHAT, chat(), backend="big", alias="auto", headers={"x-force-big": "yes"}),
]


@dataclass(frozen=True)
class Result:
    """What a case or a check showed; `fault` is empty when all was as it should be."""

    name: str
    fault: str
    note: str = ""


def compare(case: Case, site: Site) -> Result:
    """Sends a case both ways."""
    vllm = site.vllm[case.backend]
    named = {"x-request-id": "case-" + "".join(c if c.isalnum() else "-" for c in case.name)}
    own = dict(case.body if case.direct_body is None else case.direct_body)
    direct = ask(vllm.port, "POST", case.path, {"model": vllm.name} | own, named)
    body = dict(case.body) if case.alias is None else {"model": case.alias} | dict(case.body)
    proxied = ask(site.sluice.port, "POST", case.path, body, named | dict(case.headers))
    fault = difference(direct, proxied) or wrong(case, proxied, named["x-request-id"])
    cut = ", events cut otherwise" if not fault and body_difference(masked(direct.body), masked(proxied.body)) else ""
    return Result(case.name, fault, note(proxied) + cut)


def wrong(case: Case, answer: Answer, request_id: str) -> str:
    """What is not as it should be in an answer that is vLLM's."""
    anthropic = request_id if case.path.startswith(MESSAGES) else None
    expected = {"x-sluice-backend": case.backend, "x-request-id": request_id, "request-id": anthropic, "x-sluice-attempts": "1"}
    if answer.status != case.status:
        return f"status {answer.status}, not {case.status}: {answer.text[:300]}"
    for name, value in expected.items():
        if answer.headers.get(name) != value:
            return f"{name} is {answer.headers.get(name)!r}, not {value!r}"
    return ""


def note(answer: Answer) -> str:
    """The status and what came: events, or bytes."""
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        return f"{answer.status}, {answer.body.count(b'data: ')} events"
    if answer.status >= 400:
        return f"{answer.status}, {json.dumps(answer.json())[:90]}"
    return f"{answer.status}, {len(answer.body)} bytes"
