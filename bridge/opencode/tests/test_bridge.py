"""The bridge itself: what it refuses, what it shows, what it leaves behind, and its settings as shipped."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from house import API_KEY, BRIDGE_KEY, Bridge, House, eventually, turns

PATH = "/v1/chat/completions"
CHAT = {"model": "claude", "messages": turns("Hello?")}


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, which must have OpenAI's shape and nothing else."""
    whole = answer.json()
    assert set(whole) == {"error"}, whole
    assert set(whole["error"]) == {"message", "type", "param", "code"}, whole
    return answer.status_code, whole["error"]["code"]


def test_who_has_no_key_and_who_is_a_web_page_is_refused(house: House, bridge: Bridge) -> None:
    with house.vllm.planned() as seen:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {BRIDGE_KEY}"}):
            assert error(httpx.post(bridge.url + PATH, json=CHAT, headers=headers)) == (401, "invalid_api_key")
        page = bridge.client.post(PATH, json=CHAT, headers={"origin": "http://127.0.0.1"})
        assert error(page) == (403, "not_allowed")
        assert error(httpx.get(bridge.url + "/v1/models")) == (401, "invalid_api_key")
    assert seen == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b'{"messages":[],"messages":[]}', 400, "invalid_json"),
        (b"[]", 400, "invalid_request"),
        (b"[" * 100_000, 400, "invalid_json"),
        (json.dumps({**CHAT, "model": "gpt"}).encode(), 404, "model_not_found"),
        (json.dumps({**CHAT, "tools": [{"type": "function"}]}).encode(), 400, "invalid_request"),
        (b"x" * (5 << 20), 413, "body_too_large"),
    ],
)
def test_bodies_that_cannot_be_answered(bridge: Bridge, body: bytes, status: int, code: str) -> None:
    answer = bridge.client.post(PATH, content=body, headers={"content-type": "application/json"})
    assert error(answer) == (status, code)


def test_paths_methods_and_media_types(bridge: Bridge) -> None:
    assert error(bridge.client.get("/nothing")) == (404, "unknown_path")
    assert error(bridge.client.get(PATH)) == (405, "method_not_allowed")
    assert error(bridge.client.post(PATH, content=b"{}", headers={"content-type": "text/plain"})) == (
        415,
        "unsupported_media_type",
    )


def test_health_and_models(bridge: Bridge) -> None:
    assert httpx.get(bridge.url + "/health").json() == {"status": "ready"}
    (model,) = bridge.client.get("/v1/models").json()["data"]
    assert (model["id"], model["max_model_len"]) == ("claude", 200_000)
    assert bridge.client.get("/v1/models/claude").json() == model
    assert error(bridge.client.get("/v1/models/gpt")) == (404, "model_not_found")
    assert bridge.metric("bridge_opencode_up") == 1


def test_past_the_most_that_run_at_one_time_is_refused(house: House, bridge: Bridge) -> None:
    body = {**CHAT, "stream": True}
    words = tuple(f"word{number} " for number in range(200))
    with (
        house.vllm.planned(words=words, pause=0.05),
        bridge.client.stream("POST", PATH, json=body) as one,
        bridge.client.stream("POST", PATH, json=body) as two,
    ):
        lines = [answer.iter_lines() for answer in (one, two)]
        assert all(any("word1 " in line for line in each) for each in lines)
        refused = bridge.chat("Me too.")
        assert error(refused) == (429, "queue_full")
        assert refused.headers["retry-after"] == "1"
    eventually(lambda: bridge.metric("bridge_running") == 0, "nothing runs")


def test_opencode_is_closed_to_others(bridge: Bridge) -> None:
    assert httpx.get(bridge.opencode + "/session").status_code == 401
    assert httpx.get(bridge.opencode + "/session", auth=("opencode", "")).status_code == 401
    (pid,) = bridge.process.children()
    sockets = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()
    port = f"{int(bridge.opencode.rsplit(':', 1)[1]):04X}"
    listening = [line.split()[1] for line in sockets[1:] if line.split()[3] == "0A" and f":{port} " in line]
    assert listening == [f"0100007F:{port}"], "it listens elsewhere than on 127.0.0.1"


def test_no_secret_is_written_anywhere(house: House, bridge: Bridge) -> None:
    assert bridge.chat("Hello, xyzzy.").status_code == 200
    (pid,) = bridge.process.children()
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    password = environment.split(b"OPENCODE_SERVER_PASSWORD=")[1].split(b"\0")[0]
    assert len(password) > 30
    files = [file.read_bytes() for file in bridge.state.rglob("*") if file.is_file()]
    for word in (API_KEY.encode(), BRIDGE_KEY.encode(), password):
        assert not any(word in data for data in files)
        assert word not in bridge.process.output().encode()
    assert "xyzzy" not in bridge.process.output()
    assert house.vllm.seen == [] or house.vllm.seen[-1].key == f"Bearer {API_KEY}"


@pytest.fixture
def shipped(house: House, tmp_path: Path) -> Any:
    """A bridge with the provider as shipped, Anthropic; only its address is another."""
    with Bridge(tmp_path, house.vllm.address, session_idle=0.3) as bridge:
        yield bridge


def test_as_shipped_it_speaks_to_anthropic(house: House, shipped: Bridge) -> None:
    with house.vllm.planned() as seen:
        answer = shipped.chat("Say hello.").json()
    assert answer["choices"][0]["message"]["content"] == "Good evening."
    assert answer["choices"][0]["finish_reason"] == "stop"
    (request,) = seen
    assert request.path == "/v1/messages"
    assert request.key == API_KEY
    assert request.body["model"] == "claude-sonnet-5"
    assert request.body["max_tokens"] == 8192
    assert "tools" not in request.body
    assert shipped.metric("bridge_cost_usd_total") > 0
    # nobody comes back to it: its session is forgotten
    eventually(lambda: shipped.metric("bridge_sessions") == 0, "no session is kept", 10.0)
    # told to stop, it ends with success, and opencode with it
    (pid,) = shipped.process.children()
    assert shipped.process.end(signal.SIGTERM) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
