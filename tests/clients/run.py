"""Real clients against the real binary in front of simulated peers.

    python tests/clients/run.py [--bin target/debug/sluice] [--filter WORDS]

Prints a line for each case and `N passed, N failed` at the end; exits 0 when none failed.
"""

import argparse
import contextlib
import pathlib
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import anthropic_cases
import anthropic_faults
import anthropic_tools
import key_cases
import node_cases
import openai_cases
import openai_faults
import openai_tools
import opencode_cases
import page_cases
from demo import Demo
from stage import Stage

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Of the whole run on a busy machine; on a quiet one with two cores it takes a quarter of it.
LIMIT_SECONDS = 600
# The case files, and what their cases are given.
ON_THE_DEMO = (openai_cases, anthropic_cases, page_cases)
ON_THE_STAGE = (openai_faults, openai_tools, anthropic_faults, anthropic_tools, opencode_cases)


def cases(module: ModuleType, words: str) -> Iterator[tuple[str, Callable[[Any], None]]]:
    """Every case of a file whose title holds the words, in the order they are written in."""
    for name, case in vars(module).items():
        subject = module.__name__.removesuffix("_cases").replace("_", " ")
        title = f"{subject}: {name.removeprefix('case_').replace('_', ' ')}"
        if not name.startswith("case_") or words not in title:
            continue
        if module is opencode_cases and not opencode_cases.can_run():
            print(f"left out: {title}: there is no program for this machine", flush=True)
            continue
        yield title, case


def passes(title: str, case: Callable[[Any], None], world: Demo | Stage) -> bool:
    """Runs one case and prints its line."""
    began = time.monotonic()
    try:
        case(world)
    except Exception:
        print(f"FAIL {title}\n{traceback.format_exc(chain=False)}", flush=True)
        return False
    print(f"ok   {title} ({time.monotonic() - began:.2f} s)", flush=True)
    return True


def out_of_time(*_: object) -> None:
    """Ends the run; no case catches it, and what was started is stopped on the way out."""
    raise SystemExit(f"the clients' cases took longer than {LIMIT_SECONDS} s")


def run(binary: pathlib.Path, words: str) -> list[bool]:
    """Runs all cases; for each whether it passed."""
    results = []
    with contextlib.ExitStack() as stack:
        demo = stack.enter_context(Demo(binary, LIMIT_SECONDS))
        stage = stack.enter_context(Stage(binary))
        locked = stack.enter_context(Stage(binary, key_cases.CLIENTS))
        for world, modules in ((demo, ON_THE_DEMO), (locked, (key_cases,)), (stage, ON_THE_STAGE)):
            ran = [passes(*it, world) for module in modules for it in cases(module, words)]
            if not all(ran):
                print(f"--- the last lines of sluice\n{world.output()}")
            results += ran
        results += node_cases.run(demo, stage, words)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description="Real clients against the real binary.")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/debug/sluice")
    parser.add_argument("--filter", default="", help="only cases whose title contains this")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(LIMIT_SECONDS)
    results = run(options.bin.resolve(), options.filter)
    passed = sum(results)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
