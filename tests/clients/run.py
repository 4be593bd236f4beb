"""Real clients against the real binary in front of simulated peers.

    python tests/clients/run.py [--bin target/debug/sluice] [--filter WORDS]

Prints a line for each case and `N passed, N failed` at the end; exits 0 when none failed.
"""

import argparse
import pathlib
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator

import anthropic_cases
import openai_cases
from demo import Demo

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 120


def cases(words: str) -> Iterator[tuple[str, Callable[[Demo], None]]]:
    """Every function of the case files that takes the demo, in the order they are written in."""
    for module in (openai_cases, anthropic_cases):
        for name, case in vars(module).items():
            title = f"{module.__name__.removesuffix('_cases')}: {name.removeprefix('case_').replace('_', ' ')}"
            if name.startswith("case_") and words in title:
                yield title, case


def passes(title: str, case: Callable[[Demo], None], demo: Demo) -> bool:
    """Runs one case and prints its line."""
    began = time.monotonic()
    try:
        case(demo)
    except Exception:
        print(f"FAIL {title}\n{traceback.format_exc(chain=False)}", flush=True)
        return False
    print(f"ok   {title} ({time.monotonic() - began:.2f} s)", flush=True)
    return True


def out_of_time(*_: object) -> None:
    """Ends the run; no case catches it, and the demo is stopped on the way out."""
    raise SystemExit(f"the clients' cases took longer than {LIMIT_SECONDS} s")


def main() -> int:
    parser = argparse.ArgumentParser(description="Real clients against the real binary.")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/debug/sluice")
    parser.add_argument("--filter", default="", help="only cases whose title contains this")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(LIMIT_SECONDS)
    with Demo(options.bin.resolve(), LIMIT_SECONDS) as demo:
        results = [passes(title, case, demo) for title, case in cases(options.filter)]
        if not all(results):
            print(f"--- the demo's last lines\n{demo.output()}")
    passed = sum(results)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
