"""Requests of an agent with tools, made from recorded ones; and what they are in a chat template of the Qwen family.

One agent's requests are for the fit and the other's for the test. From a recorded request come many: some of its tools,
the beginning of its system prompt, and turns in which a tool is called and answers with a text of the same set.
"""

import json
import random

import features

LENGTHS = (1_000, 10_000, 100_000)
SAMPLES = {1_000: 60, 10_000: 60, 100_000: 20}
AGENTS = {False: "opencode", True: "qwen_code"}

# Tokens of the template, the same for both vocabularies, set by hand from its form. A message: its two marks, its role, two line breaks.
MESSAGE = 5
REQUEST = 3
TOOLS = 80  # the sentences around the tools
TOOL_CALL = 4
TOOL_ANSWER = 4


def made(recorded: dict, length: int, texts: list[str], dice: random.Random) -> dict:
    """A request of about so many bytes: a fifth of it system prompt, two fifths tools, the rest turns."""
    system = next(str(message["content"]) for message in recorded["messages"] if message["role"] == "system")
    tools = list(recorded["tools"])
    dice.shuffle(tools)
    offered, size = [], 0
    for tool in tools:
        if offered and size + len(json.dumps(tool)) > length * 0.4:
            continue
        offered.append(tool)
        size += len(json.dumps(tool))
    messages = [{"role": "system", "content": system[: length // 5]}, {"role": "user", "content": "Explain what this does."}]
    size += len(messages[0]["content"])
    while size < length - 300:
        text = dice.choice(texts)[: length - size]
        number, name = len(messages), dice.choice(offered)["function"]["name"]
        arguments = json.dumps({"path": f"src/part_{number}.rs", "limit": number * 100})
        call = {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
        size += len(text) + 150
    return {"messages": messages, "model": "auto", "stream": True, "tools": offered}


def spaced(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def template(request: dict) -> tuple[str, int]:
    """The text that the template makes of a request, and how many tokens come on top."""
    parts = [spaced(tool) for tool in request["tools"]]
    tokens = TOOLS + REQUEST
    for message in request["messages"]:
        tokens += MESSAGE
        parts.append(message["content"] or "")
        for call in message.get("tool_calls", ()):
            tokens += TOOL_CALL
            function = call["function"]
            parts.append(f'{{"name": "{function["name"]}", "arguments": {function["arguments"]}}}')
        tokens += TOOL_ANSWER * (message["role"] == "tool")
    return "\n".join(parts), tokens - len(parts) + 1  # the line breaks between the parts are in the marks


def counted(request: dict, counter: features.Counter) -> tuple[object, int]:
    """The factors of a request, and its tokens of marks alone."""
    texts = [(str(message["content"]), 0) for message in request["messages"] if message["content"]]
    texts += [features.walked(message["tool_calls"]) for message in request["messages"] if "tool_calls" in message]
    texts += [features.walked(tool) for tool in request["tools"]]
    rows = sum(counter.count(text, marks) for text, marks in texts)
    return rows, MESSAGE * len(request["messages"]) + REQUEST + TOOLS


def chats(recorded: dict[str, dict], texts: list[str], test: bool):
    """Length and request of every sample of a set."""
    for length in LENGTHS:
        for index in range(SAMPLES[length]):
            dice = random.Random(f"chat {test} {length} {index}")
            yield length, made(recorded[AGENTS[test]], length, texts, dice)
