"""Names and windows: what sluice answers itself, and what it leaves to vLLM."""

from cases import CHAT, TEXT, chat, too_long
from checks import Check, must, must_say, words
from exchange import ask
from servers import Site


def models_have_vllms_windows(site: Site) -> str:
    """/v1/models gives the windows that the servers give"""
    listed = {entry["id"]: entry["max_model_len"] for entry in ask(site.sluice.port, "GET", "/v1/models").json()["data"]}
    for vllm in site.vllm.values():
        own = ask(vllm.port, "GET", "/v1/models").json()["data"][0]
        must(listed.get(own["id"]) == own["max_model_len"], f"{own['id']}: {listed.get(own['id'])}, vLLM says {own['max_model_len']}")
    return ", ".join(f"{name} {window}" for name, window in listed.items())


def an_unknown_model(site: Site) -> str:
    """a model that nobody has: 404 both ways"""
    direct = ask(site.vllm["small"].port, "POST", CHAT, chat(model="nope"))
    own = ask(site.sluice.port, "POST", CHAT, chat(model="nope"))
    must(direct.status == 404 and own.status == 404, f"{direct.status} and {own.status}")
    error = own.json()["error"]
    must(error["code"] == "model_not_found" and "qwen3-coder-7b" in error["message"], own.text)
    return f"vLLM: {direct.json()['error']['message']} sluice: {error['message']}"


def broken_json(site: Site) -> str:
    """a body that is no JSON: 400 both ways"""
    direct = ask(site.vllm["small"].port, "POST", CHAT, b'{"model":"sm')
    own = ask(site.sluice.port, "POST", CHAT, b'{"model":"sm')
    must(direct.status == own.status == 400, f"{direct.status} and {own.status}")
    must(own.json()["error"]["code"] == "invalid_json", own.text)
    return str(own.json()["error"]["message"])


def over_every_window(site: Site) -> str:
    """a prompt over every window: sluice's own refusal, and vLLM sees nothing of it"""
    before = site.vllm["big"].metric("prompt_tokens_total")
    answer = ask(site.sluice.port, "POST", TEXT, {"model": "big", "prompt": words(60_000), "max_tokens": 4})
    must(answer.status == 400 and "x-sluice-backend" not in answer.headers, f"{answer.status} {answer.text[:200]}")
    error = answer.json()["error"]
    must(error["code"] == "context_length_exceeded" and "maximum context length is 32768 tokens" in error["message"], answer.text)
    must(site.vllm["big"].metric("prompt_tokens_total") == before, "vLLM read a prompt")
    return str(error["message"])


def vllms_refusal(site: Site) -> str:
    """a prompt over the window that the estimate lets through: vLLM's own 400 comes, in the words that clients know"""
    answer = ask(site.sluice.port, "POST", TEXT, {"model": "big", "prompt": too_long(), "max_tokens": 4})
    must_say(answer, 400, backend="big")
    must("maximum context length is 32768 tokens" in answer.json()["error"]["message"], answer.text)
    return f"estimate {answer.headers['x-sluice-tokens']}"


def too_long_for_small(site: Site) -> str:
    """a prompt over small's window goes to big"""
    body = {"model": "small", "prompt": words(20_000), "max_tokens": 4, "temperature": 0}
    answer = ask(site.sluice.port, "POST", TEXT, body)
    must_say(answer, 200, backend="big", reason="over_context")
    return f"estimate {answer.headers['x-sluice-tokens']}, vLLM {answer.json()['usage']['prompt_tokens']}"


REFUSALS: list[Check] = [
    models_have_vllms_windows, an_unknown_model, broken_json, over_every_window, vllms_refusal, too_long_for_small
]
