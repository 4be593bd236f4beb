#!/usr/bin/env python3
"""Writes `routing/`: one golden case for every row of the routing table.

    python3 tests/cases/generate.py           write the files
    python3 tests/cases/generate.py --check   exit 1 if they are not what would be written

The expected answers come from `decide` below, which states the routing plan of the house on its own and
shares nothing with the engine:

  1. An explicit force-big signal goes to big, whatever the mode; if big is down, to small.
  2. Otherwise, unless the gaming PC is known to be in NORMAL mode, everything goes to small.
  3. In NORMAL mode a request of 2,000 tokens or more, or one whose prompt matches the pattern, goes to big;
     if big is down, to small.
  4. Everything else goes to small. Nothing stands in for small: if it is down, the request is refused.
"""

import itertools
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent / "routing"

MODES = {"NORMAL": "the gaming PC says NORMAL", "GAMING": "the gaming PC says GAMING",
         "unknown": "nobody knows the gaming PC's mode"}
SIGNALS = {"none": "no signal", "header": "the force header", "model": "the model big", "tag": "the force tag"}
TOKENS = {"below": 1999, "at": 2000, "above": 2001}
PATTERNS = {"plain": "no pattern", "refactor": "the pattern"}
HEALTH = ("up", "down")


def decide(mode, signal, tokens, pattern, big, small):
    """The backend (None: refused), the rule, the reason and whether it is forced."""
    forced = signal != "none"
    if forced:
        wanted, rule = "big", "force-big"
    elif mode != "NORMAL":
        wanted, rule = "small", "gaming"
    elif tokens >= 2000:
        wanted, rule = "big", "heavy-by-tokens"
    elif pattern == "refactor":
        wanted, rule = "big", "heavy-by-pattern"
    else:
        wanted, rule = "small", "default"
    healthy = {"big": big == "up", "small": small == "up"}
    reason = "matched" if healthy[wanted] else "unhealthy"
    if healthy[wanted]:
        backend = wanted
    elif wanted == "big" and healthy["small"]:
        backend = "small"
    else:
        backend = None
    return backend, rule, reason, forced


def request(signal, tokens, pattern):
    """The lines of `when`."""
    message = "Please refactor this function." if pattern == "refactor" else "What is this function for?"
    if signal == "model":
        yield "  model: big"
    if signal == "header":
        yield '  headers: { X-Force-Big: "true" }'
    if signal == "tag":
        message += " #force_big"
    yield f'  message: "{message}"'
    yield f"  tokens: {tokens}"


def case(mode, signal, size, pattern, big, small):
    """The text of one file."""
    tokens = TOKENS[size]
    backend, rule, reason, forced = decide(mode, signal, tokens, pattern, big, small)
    down = [name for name, health in (("big", big), ("small", small)) if health == "down"]
    health = {0: "both up", 1: f"{''.join(down)} down", 2: "both down"}[len(down)]
    yield f"# {MODES[mode]}; {SIGNALS[signal]}; {tokens:,} tokens; {PATTERNS[pattern]}; {health}"
    yield "given:"
    yield f"  mode: {mode}"
    if down:
        yield f"  down: {{ {', '.join(f'{name}: unhealthy' for name in down)} }}"
    yield "when:"
    yield from request(signal, tokens, pattern)
    yield "then:"
    if backend:
        yield f"  backend: {backend}"
    else:
        yield "  refuse: no_candidate"
        yield "  because: unhealthy"
    yield f"  rule: {rule}"
    yield f"  reason: {reason}"
    if forced:
        yield "  forced: true"


def table():
    """File names and texts of all rows."""
    files = {}
    for row in itertools.product(MODES, SIGNALS, TOKENS, PATTERNS, HEALTH, HEALTH):
        mode, signal, size, pattern, big, small = row
        name = f"{mode.lower()}_{signal}_{size}_{pattern}_big-{big}_small-{small}.yaml"
        files[name] = "\n".join(case(*row)) + "\n"
    return files


def main():
    files = table()
    present = {path.name: path.read_text() for path in FOLDER.glob("*.yaml")}
    if "--check" in sys.argv[1:]:
        differ = sorted(name for name in files.keys() | present.keys() if files.get(name) != present.get(name))
        print("\n".join(differ) or f"{len(files)} files are up to date")
        return 1 if differ else 0
    FOLDER.mkdir(exist_ok=True)
    for name in present.keys() - files.keys():
        (FOLDER / name).unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text)
    print(f"{len(files)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
