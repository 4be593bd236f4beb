"""sluice's token estimate beside the prompt tokens that vLLM reports, and what a chat template costs by itself.

The models have Qwen's vocabulary and two of Qwen's chat templates, so these are the counts that a served Qwen gives.
"""

import argparse
import inspect
import json
import pathlib
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cases import CALLED, CHAT, SAY, TOOLS
from exchange import ask
from servers import Site, Vllm

ALIAS = {"small": "small", "big": "qwen3-coder-14b"}
LOOKED_UP: list[Callable[..., Any]] = [
    shutil.copytree, shutil.move, shutil.disk_usage, pathlib.Path.read_text, pathlib.Path.glob, subprocess.run,
    tempfile.mkdtemp, json.dumps, textwrap.wrap, shutil.which,
]
TYPES = ("string", "integer", "boolean")


def tool(function: Callable[..., Any]) -> dict[str, Any]:
    """A function of Python's library, offered as a tool."""
    names = [name for name in inspect.signature(function).parameters if name not in ("self", "kwargs", "kw")]
    properties = {
        name: {"type": TYPES[place % len(TYPES)], "description": f"The argument {name} of {function.__qualname__}."}
        for place, name in enumerate(names)
    }
    described = {"name": function.__qualname__.replace(".", "_"), "description": inspect.getdoc(function) or ""}
    parameters = {"type": "object", "properties": properties, "required": names[:1], "additionalProperties": False}
    return {"type": "function", "function": described | {"parameters": parameters}}


def agent(turns: int) -> dict[str, Any]:
    """A request as a coding agent sends it: a long system prompt, ten tools, and files that were read."""
    system = textwrap.dedent(inspect.getdoc(argparse) or "") + "\n" + "\n".join(inspect.getdoc(one) or "" for one in LOOKED_UP)
    said: list[dict[str, Any]] = [{"role": "system", "content": system}, {"role": "user", "content": "Explain what these do."}]
    for number, function in enumerate(LOOKED_UP[:turns]):
        arguments = json.dumps({"path": f"lib/{function.__module__}.py", "limit": 100 * number})
        call = {"id": f"call_{number}", "type": "function", "function": {"name": "read_text", "arguments": arguments}}
        said.append({"role": "assistant", "content": None, "tool_calls": [call]})
        said.append({"role": "tool", "tool_call_id": call["id"], "content": inspect.getsource(inspect.getmodule(function) or json)[:4_000]})
    return {"messages": said, "tools": [tool(one) for one in LOOKED_UP]}


def requests() -> dict[str, dict[str, Any]]:
    user = SAY[1:]
    long = [{"role": "user", "content": inspect.getsource(textwrap)}]
    return {
        "a short question": {"messages": user},
        "the same with a system prompt": {"messages": SAY},
        "a file of Python code": {"messages": [SAY[0], *long]},
        "one tool, a call and its answer": {"messages": CALLED} | TOOLS,
        "an agent, ten tools, first turn": agent(0),
        "an agent, ten tools, two files read": agent(2),
        "an agent, ten tools, eight files read": agent(8),
    }


@dataclass(frozen=True)
class Estimated:
    """One request at one server."""

    name: str
    backend: str
    estimate: int
    reported: int

    @property
    def error(self) -> float:
        """In percent; above zero is too many."""
        return (self.estimate / self.reported - 1) * 100


def estimates(site: Site) -> list[Estimated]:
    """Every request through sluice to both servers: the header's figure, and the usage that vLLM reports."""
    found = []
    for name, body in requests().items():
        for backend, alias in ALIAS.items():
            answer = ask(site.sluice.port, "POST", CHAT, {"model": alias, "max_tokens": 1} | body)
            if answer.status != 200 or answer.headers.get("x-sluice-backend") != backend:
                raise RuntimeError(f"{name}, {backend}: {answer.status} {answer.text[:200]}")
            estimate, reported = int(answer.headers["x-sluice-tokens"]), int(answer.json()["usage"]["prompt_tokens"])
            found.append(Estimated(name, backend, estimate, reported))
    return found


# --- what a template adds ------------------------------------------------------------------------------------


def count(vllm: Vllm, prompt: str | list[dict[str, Any]], tools: list[Any] | None = None) -> int:
    """vLLM's own count, without an answer."""
    body: dict[str, Any] = {"model": vllm.name}
    if isinstance(prompt, str):
        body |= {"prompt": prompt, "add_special_tokens": False}
    else:
        body |= {"messages": prompt} | ({"tools": tools} if tools else {})
    return int(ask(vllm.port, "POST", "/tokenize", body).json()["count"])


def constants(vllm: Vllm) -> dict[str, int]:
    """Tokens that the template adds: by taking away what its parts have by themselves."""
    system, user = {"role": "system", "content": "Stop"}, {"role": "user", "content": "Stop"}
    word, one, two = count(vllm, "Stop"), count(vllm, [system, user]), count(vllm, [system, user, user])
    message = two - one - word
    tools = TOOLS["tools"]
    first = count(vllm, [system, user], tools) - one
    second = count(vllm, [system, user], tools * 2) - one - first
    alone = count(vllm, json.dumps(tools[0]))
    call = CALLED[2]["tool_calls"][0]["function"]
    called = f'{{"name": "{call["name"]}", "arguments": {call["arguments"]}}}'
    turn = count(vllm, [system, user, CALLED[2], CALLED[3]], tools) - one - first
    answered = count(vllm, str(CALLED[3]["content"]))
    return {
        "a message": message,
        "the request": one - 2 * message - 2 * word,
        "tools, the first": first - alone,
        "each further tool": second - alone,
        "a call and its answer, two messages": turn - count(vllm, called) - answered,
        "no system message": count(vllm, [user]) - (one - message - word),
    }
