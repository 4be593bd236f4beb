"""The command line of `deploy/fit`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from . import catalogue, show
from .budget import Card, Fit, Serving, fit
from .catalogue import Build
from .shape import UnsupportedError, from_config
from .weights import of_config, parse

_EPILOG = """\
examples:
  deploy/fit --list
  deploy/fit Qwen2.5-3B-Instruct-AWQ --card rtx3070 --beside tts --window 16384 --requests 8 --batch-tokens 1024 --eager
  deploy/fit --config ./config.json --card rtx3090 --window 32768
  deploy/fit --table big

exit code: 0 it fits (or nearly: "tight"), 1 it does not, 2 the question was wrong"""


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _fraction(text: str) -> float:
    number = float(text)
    if not 0.05 <= number <= 1:
        raise argparse.ArgumentTypeError("from 0.05 to 1")
    return number


def _gib(text: str) -> float:
    number = float(text)
    if not 0 < number < 10_000:
        raise argparse.ArgumentTypeError("GiB, more than 0")
    return number


def parser() -> argparse.ArgumentParser:
    """The options; each says what it is called in vLLM."""
    it = argparse.ArgumentParser(
        prog="deploy/fit",
        description="Does a model fit on a card under vLLM, with how much context, how many requests at once?",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    it.add_argument("model", nargs="*", help="builds of deploy/models.json, with or without the part before the slash")
    it.add_argument("--config", type=Path, help="a config.json instead: any model whose layers are all alike")
    it.add_argument(
        "--quant", help="how --config's weights are stored: bf16, fp8, int4-g128; default: as it says itself"
    )
    it.add_argument("--card", default="rtx3090", help="rtx3070, rtx3090 (default) or rtx3090-wsl2")
    it.add_argument("--total", type=_gib, help="GiB of another card, as CUDA reports them")
    it.add_argument("--utilization", type=_fraction, help="--gpu-memory-utilization; default: all that is left")
    it.add_argument("--beside", default="0", help="what else is on the card: tts, desktop, or GiB; default nothing")
    it.add_argument("--window", type=_positive, default=32768, help="--max-model-len, tokens; default 32768")
    it.add_argument("--requests", type=_positive, default=4, help="--max-num-seqs; default 4")
    it.add_argument("--batch-tokens", type=_positive, default=2048, help="--max-num-batched-tokens; default 2048")
    it.add_argument("--eager", action="store_true", help="--enforce-eager: no CUDA graphs, slower")
    it.add_argument("--kv-bytes", type=int, choices=(1, 2), default=2, help="bytes a value of the KV cache; 1 is fp8")
    it.add_argument("--json", action="store_true", help="the answer as JSON, a list")
    it.add_argument("--list", action="store_true", help="show the known cards and builds")
    it.add_argument("--table", help="one of the tables of docs/models.md, as Markdown")
    return it


def _listing() -> str:
    lines = ["cards"]
    lines += [f"  {card.name:<14}{card.total_gib:6.2f} GiB" for card in catalogue.cards().values()]
    lines.append("builds")
    lines += [f"  {build.name:<54}{build.quant.name}" for build in catalogue.builds().values()]
    lines.append("tables")
    lines += [f"  {name:<18}{catalogue.table(name).title}" for name in catalogue.table_names()]
    return "\n".join(lines)


def _of_config(path: Path, quant: str | None) -> Build:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UnsupportedError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(config, dict):
        raise UnsupportedError(f"{path}: holds no JSON object: is it a model's config.json?")
    return Build(str(path), from_config(config), parse(quant) if quant else of_config(config), str(path))


def _asked(options: argparse.Namespace) -> list[Build]:
    wanted = [catalogue.build(name) for name in options.model]
    if options.config:
        wanted.append(_of_config(options.config, options.quant))
    elif options.quant:
        raise UnsupportedError("--quant goes with --config; the builds of models.json have their own")
    if not wanted:
        raise UnsupportedError("name a model, or give --config, --list or --table (--help has examples)")
    return wanted


def _serving(options: argparse.Namespace) -> Serving:
    return Serving(
        window=options.window,
        requests=options.requests,
        batch_tokens=options.batch_tokens,
        eager=options.eager,
        kv_value_bytes=options.kv_bytes,
        utilization=options.utilization,
        beside_gib=catalogue.beside(options.beside),
    )


def _answer(options: argparse.Namespace) -> int:
    card = Card(f"a card of {options.total:g} GiB", options.total) if options.total else catalogue.card(options.card)
    serving = _serving(options)
    answers: list[tuple[str, Fit]] = []
    for build in _asked(options):
        if build.shape.max_context < serving.window:
            print(f"note: {build.name} was made for {build.shape.max_context:,} tokens", file=sys.stderr)
        answers.append((build.name, fit(card, build.shape, build.bytes(), serving)))
    if options.json:
        print(json.dumps([show.as_dict(name, card, serving, answer) for name, answer in answers], indent=2))
    else:
        print("\n\n".join(show.as_text(name, card, serving, answer) for name, answer in answers))
    return 1 if any(answer.verdict.startswith("no") for _, answer in answers) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit code."""
    options = parser().parse_args(arguments)
    try:
        if options.list:
            print(_listing())
        elif options.table:
            print(show.as_markdown(catalogue.table(options.table)))
        else:
            return _answer(options)
    except UnsupportedError as problem:
        print(f"deploy/fit: {problem}", file=sys.stderr)
        return 2
    return 0
