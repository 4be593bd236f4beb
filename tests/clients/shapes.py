"""The answers of a scripted model server, in the shapes of vLLM: chat, responses and Anthropic's messages.

Only what the demo's simulated peers cannot do stands here: answers of a scripted length, and tool calls.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
CREATED = 1_795_496_872


@dataclasses.dataclass(frozen=True)
class Tool:
    """A call that the model makes; `arguments` is what a model writes there, a JSON text."""

    name: str
    arguments: str


@dataclasses.dataclass(frozen=True)
class Turn:
    """One answer: some words, or a call of a tool."""

    model: str
    words: list[str]
    tool: Tool | None
    prompt_tokens: int = 7

    @property
    def text(self) -> str:
        return "".join(self.words)


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def error(status: int) -> Json:
    """An error as vLLM words it: its `code` is the status, a number."""
    return {"error": {"message": f"scripted {status}", "type": "ScriptedError", "param": None, "code": status}}


# --- /v1/chat/completions ----------------------------------------------------------------------------------


def _chat_usage(turn: Turn) -> Json:
    said = max(1, len(turn.words))
    return {"prompt_tokens": turn.prompt_tokens, "completion_tokens": said, "total_tokens": turn.prompt_tokens + said}


def _chat_call(tool: Tool) -> Json:
    return {"id": "chatcmpl-tool-1", "type": "function", "function": dataclasses.asdict(tool)}


def chat(turn: Turn) -> Json:
    message: Json = {"role": "assistant", "content": turn.text}
    if turn.tool:
        message = {"role": "assistant", "content": None, "tool_calls": [_chat_call(turn.tool)]}
    reason = "tool_calls" if turn.tool else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": turn.model,
        "choices": [choice], "usage": _chat_usage(turn),
    }


def chat_events(turn: Turn, usage: bool) -> Iterator[bytes]:
    deltas: list[Json] = [{"content": word} for word in turn.words]
    if turn.tool:
        deltas = [{"tool_calls": [{"index": 0, **piece}]} for piece in _chat_pieces(turn.tool)]
    yield _chat_event(turn, [_delta({"role": "assistant", "content": ""})])
    for delta in deltas:
        yield _chat_event(turn, [_delta(delta)])
    yield _chat_event(turn, [_delta({}, "tool_calls" if turn.tool else "stop")])
    if usage:
        yield _chat_event(turn, [], _chat_usage(turn))
    yield b"data: [DONE]\n\n"


def _chat_pieces(tool: Tool) -> Iterator[Json]:
    """The name first, then the arguments in two pieces that are no JSON by themselves."""
    middle = len(tool.arguments) // 2
    yield {"id": "chatcmpl-tool-1", "type": "function", "function": {"name": tool.name, "arguments": ""}}
    yield {"function": {"arguments": tool.arguments[:middle]}}
    yield {"function": {"arguments": tool.arguments[middle:]}}


def _delta(delta: Json, finish_reason: str | None = None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _chat_event(turn: Turn, choices: list[Json], usage: Json | None = None) -> bytes:
    event = {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": turn.model,
        "choices": choices, **({"usage": usage} if usage else {}),
    }
    return b"data: %s\n\n" % compact(event)


# --- /v1/responses -----------------------------------------------------------------------------------------


def _output_item(turn: Turn) -> Json:
    if turn.tool:
        call = dataclasses.asdict(turn.tool)
        return {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed", **call}
    part: Json = {"type": "output_text", "text": turn.text, "annotations": [], "logprobs": None}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def response(turn: Turn) -> Json:
    said = max(1, len(turn.words))
    usage = {
        "input_tokens": turn.prompt_tokens, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": turn.prompt_tokens + said,
    }
    return {
        "id": "resp_1", "object": "response", "created_at": CREATED, "model": turn.model, "status": "completed",
        "output": [_output_item(turn)], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "usage": usage,
    }


def response_events(turn: Turn) -> Iterator[bytes]:
    whole, item = response(turn), _output_item(turn)
    empty: Json = {"arguments": ""} if turn.tool else {"content": []}
    begun = {**item, "status": "in_progress", **empty}
    place: Json = {"item_id": item["id"], "output_index": 0}
    events: list[Json] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
    ]
    if turn.tool:
        kind = "response.function_call_arguments"
        events.append({"type": f"{kind}.delta", **place, "delta": turn.tool.arguments})
        events.append({"type": f"{kind}.done", **place, **dataclasses.asdict(turn.tool)})
    else:
        place |= {"content_index": 0}
        part: Json = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        events.append({"type": "response.content_part.added", **place, "part": part})
        events += [{"type": "response.output_text.delta", **place, "delta": word} for word in turn.words]
        events.append({"type": "response.output_text.done", **place, "text": turn.text})
        events.append({"type": "response.content_part.done", **place, "part": {**part, "text": turn.text}})
    events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    events.append({"type": "response.completed", "response": whole})
    for number, event in enumerate(events):
        yield _named({**event, "sequence_number": number})


# --- /v1/messages ------------------------------------------------------------------------------------------


def _stop_reason(turn: Turn) -> str:
    return "tool_use" if turn.tool else "end_turn"


def message(turn: Turn) -> Json:
    block: Json = {"type": "text", "text": turn.text}
    if turn.tool:
        call = json.loads(turn.tool.arguments)
        block = {"type": "tool_use", "id": "toolu_1", "name": turn.tool.name, "input": call}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "content": [block], "model": turn.model,
        "stop_reason": _stop_reason(turn), "stop_sequence": None,
        "usage": {"input_tokens": turn.prompt_tokens, "output_tokens": max(1, len(turn.words))},
    }


def message_events(turn: Turn) -> Iterator[bytes]:
    whole = message(turn)
    start = {**whole, "content": [], "stop_reason": None}
    block: Json = {"type": "text", "text": ""}
    deltas: list[Json] = [{"type": "text_delta", "text": word} for word in turn.words]
    if turn.tool:
        block = {**whole["content"][0], "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": turn.tool.arguments}]
    yield _named({"type": "message_start", "message": start})
    yield _named({"type": "content_block_start", "index": 0, "content_block": block})
    for delta in deltas:
        yield _named({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _named({"type": "content_block_stop", "index": 0})
    end = {"stop_reason": _stop_reason(turn), "stop_sequence": None}
    yield _named({"type": "message_delta", "delta": end, "usage": whole["usage"]})
    yield _named({"type": "message_stop"})


def _named(event: Json) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), compact(event))
