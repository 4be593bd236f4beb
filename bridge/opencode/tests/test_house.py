"""Client → sluice → bridge → opencode → provider, and back: what a person gets, and what nobody gets."""

import json
import os
import signal
import time
from typing import Any

import httpx
import openai
import shapes

from house import API_KEY, LAPTOP, TAYNE, House, eventually

WORDS = tuple(f"word{number} " for number in range(400))


def events(answer: httpx.Response) -> list[Any]:
    data = [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")]
    return [json.loads(text) if text != "[DONE]" else text for text in data]


def test_a_plain_answer_comes_back_whole(house: House) -> None:
    with house.vllm.planned() as seen:
        answer = house.chat("Say hello.", max_tokens=50, temperature=0.3)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-sluice-backend"] == "claude"
    assert answer.headers["x-sluice-rule"] == "model:claude"
    body = answer.json()
    message = {"role": "assistant", "content": "Good evening.", "refusal": None}
    assert body["choices"] == [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    assert (body["object"], body["model"]) == ("chat.completion", "claude")
    assert body["usage"]["prompt_tokens"] == 7
    assert body["usage"]["completion_tokens"] == 2
    (request,) = seen  # one and no more: no title, no summary is paid for
    assert request.turns() == [("user", "Say hello.")]
    assert "tools" not in request.body
    assert request.body["model"] == "claude-test"
    assert request.body["max_tokens"] == 8192
    assert request.key == f"Bearer {API_KEY}"


def test_a_stream_comes_as_it_is_made(house: House) -> None:
    client = openai.OpenAI(base_url=f"{house.url}/v1", api_key=LAPTOP, max_retries=0)
    with house.vllm.planned(words=("one ", "two ", "three"), pause=0.3), client:
        stream = client.chat.completions.create(
            model="claude",
            messages=[{"role": "system", "content": "Be terse."}, {"role": "user", "content": "Count."}],
            stream=True,
            stream_options={"include_usage": True},
        )
        came = [(time.monotonic(), chunk) for chunk in stream]
    texts = [(at, chunk.choices[0].delta.content) for at, chunk in came if chunk.choices]
    assert "".join(text or "" for _, text in texts) == "one two three"
    first, last = (next(at for at, text in texts if text and word in text) for word in ("one", "three"))
    assert last - first > 0.4, "it did not come in pieces"
    assert [chunk.choices[0].finish_reason for _, chunk in came if chunk.choices][-1] == "stop"
    usage = came[-1][1].usage
    assert usage is not None
    assert usage.completion_tokens == 3
    assert "Be terse." in house.vllm.seen[-1].body["messages"][0]["content"]


def test_sluice_can_count_the_cost_of_a_stream(house: House) -> None:
    with house.stream("Hello?") as answer:
        told = events(answer)
    assert told[-1] == "[DONE]"
    assert told[-2]["choices"][0]["finish_reason"] == "stop"
    assert told[-2]["usage"]["prompt_tokens"] == 7
    asked = answer.headers["x-request-id"]

    def cost() -> Any:
        records = httpx.get(f"{house.admin}/decisions?limit=20", trust_env=False).json()
        return next((record.get("cost") for record in records if record["request_id"] == asked), None)

    eventually(lambda: cost() is not None, "the record is there")
    assert cost() == {"usd": 0.000034, "estimated": False}


def test_a_conversation_keeps_its_session(house: House) -> None:
    reused = house.bridge.metric("bridge_sessions_reused_total")
    with house.vllm.planned() as seen:
        first = house.chat("My name is Ann.").json()["choices"][0]["message"]["content"]
        second = house.chat("My name is Ann.", first, "Who am I?")
        assert second.status_code == 200, second.text
        # trimmed, as clients do it, and with other instructions
        third = house.chat("My name is Ann.", first.strip(), "Who am I?", f" {first}\n", "Sure?")
        assert third.status_code == 200, third.text
    assert house.bridge.metric("bridge_sessions_reused_total") == reused + 2
    assert seen[1].turns() == [("user", "My name is Ann."), ("assistant", first), ("user", "Who am I?")]
    assert [role for role, _ in seen[2].turns()] == ["user", "assistant"] * 2 + ["user"]


def test_another_history_is_another_session(house: House) -> None:
    with house.vllm.planned() as seen:
        house.chat("Two and two?")
        edited = house.chat("Two and three?", "Good evening.", "Sure?")
        assert edited.status_code == 200, edited.text
    ((role, text),) = seen[-1].turns()
    assert role == "user"
    assert "<user>\nTwo and three?\n</user>" in text
    assert "<assistant>\nGood evening.\n</assistant>" in text
    assert text.endswith("Sure?")
    assert "Two and two" not in text


def test_conversations_with_names_of_their_own_stay_apart(house: House) -> None:
    said = ("Hello there.", "Good evening.", "And?")
    with house.vllm.planned() as seen:
        house.chat(said[0], headers={"x-session-id": "one"})
        house.chat(*said, headers={"x-session-id": "two"})
        house.chat(*said, headers={"x-session-id": "one"})
    assert [len(request.turns()) for request in seen] == [1, 1, 3]


def test_a_client_that_leaves_a_stream_ends_it_at_the_provider(house: House) -> None:
    with house.vllm.planned(words=WORDS, pause=0.05) as seen:
        with house.stream("Go on for ever.") as answer:
            next(line for line in answer.iter_lines() if "word3" in line)
            assert not seen[0].gone
        eventually(lambda: seen[0].gone, "the provider is left", 5.0)
    eventually(lambda: house.bridge.metric("bridge_running") == 0, "nothing runs", 5.0)
    assert house.bridge.metric('bridge_requests_total{status="499"}') >= 1
    assert house.chat("Still there?").status_code == 200


def test_a_client_that_leaves_before_the_first_word_ends_it_too(house: House) -> None:
    with house.vllm.planned(silent=15.0) as seen:
        try:
            house.client.post(
                "/v1/chat/completions",
                json={"model": "claude", "messages": [{"role": "user", "content": "Think."}]},
                headers={"authorization": f"Bearer {LAPTOP}"},
                timeout=httpx.Timeout(10.0, read=2.0),
            )
            raise AssertionError("it was answered")
        except httpx.ReadTimeout:
            pass
        eventually(lambda: bool(seen) and seen[0].gone, "the provider is left", 5.0)


def test_a_call_of_a_tool_touches_nothing(house: House) -> None:
    folder = house.bridge.state.parent
    touched, secret = folder / "touched", folder / "secret"
    secret.write_text("the password is swordfish")
    calls = {
        "bash": {"command": f"touch {touched}", "description": "touch"},
        "write": {"filePath": str(touched), "content": "x"},
        "read": {"filePath": str(secret)},
    }
    for name, arguments in calls.items():
        with house.vllm.planned(tool=shapes.Tool(name, json.dumps(arguments))) as seen:
            answer = house.chat("Do it.")
        assert answer.status_code == 502, answer.text
        assert "tools are off" in answer.json()["error"]["message"]
        # opencode asks again by itself until it is told to stop; a provider that answers at once may be asked twice
        # or thrice in that time, and would be asked for ever without it
        eventually(lambda: house.bridge.metric("bridge_running") == 0, "nothing runs")
        assert len(seen) <= 8, "it goes on asking"
        assert "swordfish" not in json.dumps([request.body for request in seen])
        assert all("tools" not in request.body for request in seen)
    assert not touched.exists()
    assert list((house.bridge.state / "work").iterdir()) == []


def test_only_the_clients_that_the_model_names_get_there(house: House) -> None:
    with house.vllm.planned() as seen:
        answer = house.chat("Me too.", key=TAYNE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed")
        assert house.chat("Me too.", key="nobody").status_code == 401
        assert seen == []
        # and no other name leads there
        other = house.chat("#claude please", key=TAYNE, model="auto")
        assert other.headers["x-sluice-backend"] == "small"


def test_the_budget_ends(house: House) -> None:
    assert house.chat("One.", model="rare").status_code == 200
    with house.vllm.planned() as seen:
        answer = house.chat("Two.", model="rare")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "over_budget")
    assert int(answer.headers["retry-after"]) > 0
    assert seen == []
    assert house.chat("Three.").status_code == 200, "the other budget is its own"


def test_failures_of_the_provider_are_told(house: House) -> None:
    for status, told, code in (
        (400, 400, "invalid_request"),
        (401, 502, "upstream_error"),
        (404, 502, "upstream_error"),
    ):
        with house.vllm.planned(status=status) as seen:
            answer = house.bridge.chat("Hello?")
        assert (answer.status_code, answer.json()["error"]["code"]) == (told, code), answer.text
        assert f"scripted {status}" in answer.json()["error"]["message"]
        assert len(seen) == 1


def test_an_answer_that_breaks_off_is_not_begun_again_behind_its_beginning(house: House) -> None:
    with house.vllm.planned(words=WORDS, pause=0.05, cut=6), house.stream("Go on.") as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert sum('"word0 "' in line for line in lines) == 1
    assert lines[-1].startswith('data: {"error"'), lines[-1]
    assert "data: [DONE]" not in lines


def test_a_provider_that_is_busy_for_long_is_not_waited_for(house: House) -> None:
    with house.vllm.planned(status=429, headers={"retry-after": "50"}) as seen:
        began = time.monotonic()
        answer = house.bridge.chat("Hello?")  # sluice would leave it alone until then
        assert time.monotonic() - began < 15
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded"), answer.text
    assert 30 <= int(answer.headers["retry-after"]) <= 50
    assert len(seen) == 1


def test_a_failure_in_the_middle_looks_broken(house: House) -> None:
    with house.vllm.planned(words=WORDS, pause=0.02), house.stream("Go on.") as answer:
        lines = answer.iter_lines()
        next(line for line in lines if "word3" in line)
        kill_opencode(house)
        rest = [line for line in lines if line]
    assert rest[-1].startswith('data: {"error"'), rest[-1]
    assert "data: [DONE]" not in rest
    house.bridge.opencode = house.bridge.process.wait_for(r"opencode listens on (http://\S+)")
    assert house.bridge.client.get("/health").json() == {"status": "ready"}
    again = house.chat("Are you back?")
    assert again.status_code == 200, again.text


def kill_opencode(house: House) -> None:
    (pid,) = house.bridge.process.children()
    os.kill(pid, signal.SIGKILL)
