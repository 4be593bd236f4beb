"""vLLM's own `vllm bench serve`, directly and through sluice in turns."""

import json
import os
import pathlib
import statistics
import subprocess
from dataclasses import dataclass

from servers import Site

PROMPTS, AT_ONCE, INPUT, OUTPUT = 48, 6, 128, 64
FIGURES = {
    "requests a second": "request_throughput",
    "output tokens a second": "output_throughput",
    "time to the first token, median ms": "median_ttft_ms",
    "time to the first token, mean ms": "mean_ttft_ms",
    "between tokens, median ms": "median_itl_ms",
    "a token of output, mean ms": "mean_tpot_ms",
    "CPU of vLLM, ms a request": "vllm_cpu",
    "CPU of sluice, ms a request": "sluice_cpu",
}
SECONDS = 900


@dataclass(frozen=True)
class Figure:
    """The medians of the rounds."""

    name: str
    direct: float
    proxied: float

    @property
    def ratio(self) -> float | None:
        return self.proxied / self.direct if self.direct else None


def bench(site: Site, port: int, seed: int, folder: pathlib.Path) -> dict[str, float]:
    """One run of the tool against a port."""
    small = site.vllm["small"]
    result = folder / "bench.json"
    result.unlink(missing_ok=True)
    command = [
        str(site.env / "venv/bin/vllm"), "bench", "serve", "--backend", "openai-chat", "--endpoint", "/v1/chat/completions",
        "--base-url", f"http://127.0.0.1:{port}", "--model", small.name, "--tokenizer", str(site.env / "models/small"),
        "--dataset-name", "random", "--random-input-len", str(INPUT), "--random-output-len", str(OUTPUT),
        "--num-prompts", str(PROMPTS), "--max-concurrency", str(AT_ONCE), "--seed", str(seed), "--ignore-eos",
        "--disable-tqdm", "--save-result", "--result-filename", str(result),
    ]  # fmt: skip
    env = os.environ | {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    before = small.cpu(), site.sluice.cpu()
    done = subprocess.run(command, check=False, cwd=folder, env=env, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode or not result.exists():
        raise RuntimeError(f"vllm bench serve ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2_000:]}")
    found: dict[str, float] = json.loads(result.read_text())
    if found["completed"] != PROMPTS:
        raise RuntimeError(f"only {found['completed']} of {PROMPTS} requests were answered")
    after = small.cpu(), site.sluice.cpu()
    spent = [(last - first) / PROMPTS * 1_000 for first, last in zip(before, after, strict=True)]
    return found | {"vllm_cpu": spent[0], "sluice_cpu": spent[1]}


def rounds(site: Site, count: int, folder: pathlib.Path) -> list[Figure]:
    """Both ways in turns, the same prompts in a round; which way begins changes with each round."""
    found: dict[str, list[dict[str, float]]] = {"direct": [], "proxied": []}
    ports = {"direct": site.vllm["small"].port, "proxied": site.sluice.port}
    for number in range(count):
        for way in sorted(ports, reverse=bool(number % 2)):
            found[way].append(bench(site, ports[way], number, folder))
            print(f"    round {number + 1}, {way}: {found[way][-1]['request_throughput']:.2f} requests a second", flush=True)
    middle = {way: {name: statistics.median(one[key] for one in runs) for name, key in FIGURES.items()} for way, runs in found.items()}
    return [Figure(name, middle["direct"][name], middle["proxied"][name]) for name in FIGURES]
