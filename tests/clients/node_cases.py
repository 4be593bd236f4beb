"""Runs the Node cases, and has them printed in the same lines as those in Python."""

import json
import os
import pathlib
import re
import subprocess
from collections.abc import Iterator

from demo import Demo
from stage import Stage

FOLDER = pathlib.Path(__file__).resolve().parent / "node"
# Of one file; its cases take some seconds.
LIMIT_SECONDS = 90


def run(demo: Demo, stage: Stage, words: str) -> list[bool]:
    """For each case whose title holds the words, whether it passed."""
    world = {
        "demo": {"proxy": demo.proxy}, "stage": {"proxy": stage.proxy, "admin": stage.admin}, "peer": stage.peer,
    }
    environment = {**os.environ, "SLUICE_WORLD": json.dumps(world)}
    results = []
    for file in sorted(FOLDER.glob("*.test.mjs")):
        results += list(run_file(file, words, environment))
    return results


def run_file(file: pathlib.Path, words: str, environment: dict[str, str]) -> Iterator[bool]:
    """Runs one file of cases; one that ends badly without naming a case counts as a case that failed."""
    subject = f"node {file.name.removesuffix('.test.mjs').replace('_', ' ')}: "
    command = ["node", "--test-reporter=./reporter.mjs"]
    if words not in subject:
        command.append(f"--test-name-pattern={re.escape(words)}")
    ran = subprocess.run(
        [*command, file.name], cwd=FOLDER, env=environment, timeout=LIMIT_SECONDS, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", check=False,
    )
    print(ran.stdout, end="", flush=True)
    marks = [line[:4] for line in ran.stdout.splitlines() if line.startswith(("ok  ", "FAIL"))]
    yield from (mark == "ok  " for mark in marks)
    if ran.returncode != 0 and "FAIL" not in marks:
        print(f"FAIL {subject}node ended with {ran.returncode}", flush=True)
        yield False
