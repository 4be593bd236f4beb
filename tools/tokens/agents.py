"""Requests as two coding agents really send them: each is run once against a listener that writes them down.

The listener answers at once and with one word. What is kept are the bodies that offer tools.
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

SENTENCE = "Explain in one sentence what main.rs does."
SECONDS = 90


class Listener(http.server.BaseHTTPRequestHandler):
    """Answers every chat completion with "Done." and keeps its body."""

    kept: list[dict]

    def do_GET(self):
        self._send("application/json", b'{"object":"list","data":[]}')

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.kept.append(body)
        if not body.get("stream"):
            message = {"role": "assistant", "content": "Done."}
            answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
            answer["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
            return self._send("application/json", json.dumps(answer).encode())
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        delta = {"index": 0, "delta": {"role": "assistant", "content": "Done."}, "finish_reason": None}
        stop = {"index": 0, "delta": {}, "finish_reason": "stop"}
        events = [json.dumps(chunk | {"choices": [choice]}) for choice in (delta, stop)] + ["[DONE]"]
        return self._send("text/event-stream", "".join(f"data: {event}\n\n" for event in events).encode())

    def _send(self, kind: str, body: bytes):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def opencode(npm: pathlib.Path, home: pathlib.Path, url: str) -> tuple[list[str], dict[str, str]]:
    model = {"name": "m", "limit": {"context": 131_072, "output": 4_096}}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "here", "options": {"baseURL": url, "apiKey": "none"}, "models": {"m": model}}
    settings = {"autoupdate": False, "share": "disabled", "enabled_providers": ["here"], "model": "here/m", "small_model": "here/m"}
    (home / "opencode.json").write_text(json.dumps(settings | {"provider": {"here": provider}}))
    binary = next(npm.glob("opencode-linux-x64/bin/opencode"))
    return [str(binary), "run", SENTENCE], {"OPENCODE_DISABLE_MODELS_FETCH": "1"}


def qwen_code(npm: pathlib.Path, home: pathlib.Path, url: str) -> tuple[list[str], dict[str, str]]:
    options = ["--auth-type", "openai", "--model", "m", "--openai-base-url", url, "--openai-api-key", "none"]
    return [str(npm / ".bin/qwen"), *options, "--prompt", SENTENCE], {"QWEN_TELEMETRY_ENABLED": "false"}


def run(agent, npm: pathlib.Path) -> list[dict]:
    """The bodies that an agent sends for one sentence."""
    kept: list[dict] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Its", (Listener,), {"kept": kept}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        (home / "main.rs").write_text('fn main() {\n    println!("hello");\n}\n')
        command, extra = agent(npm, home, f"http://127.0.0.1:{server.server_port}/v1")
        place = {"PATH": os.environ["PATH"], "HOME": folder, "XDG_CONFIG_HOME": folder, "PWD": folder}
        try:
            subprocess.run(command, cwd=home, env=place | extra, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{agent.__name__}: ended after {SECONDS} s", file=sys.stderr)
    server.shutdown()
    return [body for body in kept if body.get("tools")]


def requests(npm: pathlib.Path, cache: pathlib.Path) -> dict[str, dict]:
    """One request with tools of each agent; recorded the first time."""
    found = {}
    for agent in (opencode, qwen_code):
        place = cache / f"{agent.__name__}.json"
        if not place.exists():
            bodies = run(agent, npm)
            if not bodies:
                raise SystemExit(f"{agent.__name__} sent no request with tools")
            place.write_text(json.dumps(max(bodies, key=lambda body: len(body["tools"]))))
        found[agent.__name__] = json.loads(place.read_text())
    return found
