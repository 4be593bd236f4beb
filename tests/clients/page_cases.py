"""The examples of docs/clients/, as they stand there, with the demo's address in the place of the page's."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

from demo import Demo

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/clients"
NODE = pathlib.Path(__file__).resolve().parent / "node"
# The server, as the pages call it.
SERVER = "http://192.168.1.10:8080"
# Of one block.
LIMIT_SECONDS = 60
# A refusal makes curl fail, and with it the example; a page need not say so in each line.
STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n'


def blocks(page: str, language: str) -> list[tuple[str, str]]:
    """The blocks of a language in a page, and for each the `text` that follows it directly, else nothing."""
    text = (PAGES / page).read_text()
    found = re.findall(rf"(?ms)^```{language}\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", text)
    assert found, f"{page} has no {language}"
    return found


def output(command: list[str], text: str, folder: str | pathlib.Path) -> str:
    """What a program prints that is given a text; it must end well and name no address but the demo's."""
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    ran = subprocess.run(
        command, cwd=folder, env=environment, input=text, timeout=LIMIT_SECONDS, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", check=False,
    )
    assert ran.returncode == 0, f"exit {ran.returncode}\n{text}\n{ran.stdout}"
    return ran.stdout


def run_each(demo: Demo, page: str, language: str, command: list[str], before: str = "") -> list[str]:
    """Runs all blocks of a language, each in a folder of its own, and compares what the page says that comes."""
    said = []
    for code, wanted in blocks(page, language):
        with tempfile.TemporaryDirectory(prefix="sluice-page-") as folder:
            where = NODE if language == "js" else folder
            said.append(output(command, before + code.replace(SERVER, demo.proxy), where))
        lines = {line.strip().lower() for line in said[-1].splitlines()}
        for line in wanted.splitlines():
            assert line in lines, f"{page} shows {line!r}, but there came\n{said[-1]}"
    return said


def case_curl_examples(demo: Demo) -> None:
    said = run_each(demo, "curl.md", "sh", ["bash"], STRICT)
    assert all(said), said
    forced = [text for text in said if "x-sluice-rule: force-big" in text]
    assert len(forced) == 1 and forced[0].count("x-sluice-rule: force-big") == 3, said
    assert any(text.rstrip().endswith("data: [DONE]") for text in said), said


def case_openai_examples(demo: Demo) -> None:
    usual, errors = run_each(demo, "openai-sdk.md", "python", [sys.executable, "-"])
    assert usual.startswith("small matched\nI am the simulated qwen3-coder-7b"), usual
    assert "I am the simulated qwen3-coder-14b" in usual, usual
    assert errors.startswith("model_not_found - ") and "auto" in errors, errors
    (node,) = run_each(demo, "openai-sdk.md", "js", ["node", "--input-type=module", "-"])
    assert node.startswith("small I am the simulated qwen3-coder-7b") and "qwen3-coder-14b" in node, node


def case_anthropic_examples(demo: Demo) -> None:
    (said,) = run_each(demo, "anthropic-sdk.md", "python", [sys.executable, "-"])
    assert said.startswith("small matched\nI am the simulated qwen3-coder-7b"), said
    assert "I am the simulated qwen3-coder-14b" in said and int(said.split()[-1]) > 0, said
    (node,) = run_each(demo, "anthropic-sdk.md", "js", ["node", "--input-type=module", "-"])
    assert node.startswith("I am the simulated qwen3-coder-7b") and "qwen3-coder-14b" in node, node
