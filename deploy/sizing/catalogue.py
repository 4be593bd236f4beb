"""The known cards, neighbours, builds and tables: deploy/models.json, parsed and checked."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .budget import Card, Serving
from .shape import Shape, UnsupportedError
from .weights import Quantisation, parse, weight_bytes

PATH = Path(__file__).resolve().parent.parent / "models.json"


@dataclass(frozen=True, slots=True)
class Build:
    """A published model in one way of storing its weights.

    `file_gb` is its size in a file listing, if looked up; `file_has_head`: with an output head that a tied model does
    not load; `tool_parser`: what vLLM needs to understand its tool calls, None where it brings nothing that does.
    """

    name: str
    shape: Shape
    quant: Quantisation
    source: str
    tool_parser: str | None = None
    file_gb: float | None = None
    file_has_head: bool = False

    def bytes(self) -> int:
        """Bytes of weights on the card, by arithmetic."""
        return weight_bytes(self.shape, self.quant)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of docs/models.md: some builds on one card under one vLLM configuration."""

    title: str
    card: Card
    serving: Serving
    builds: tuple[Build, ...]


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return data


def _known(kind: str, name: str, names: list[str]) -> str:
    if name not in names:
        raise UnsupportedError(f"no {kind} {name!r} in {PATH.name}; there are: {', '.join(names)}")
    return name


def cards() -> dict[str, Card]:
    """The known cards by name."""
    return {name: Card(name, float(entry["total_gib"])) for name, entry in _data()["cards"].items()}


def card(name: str) -> Card:
    """A card by name; raises UnsupportedError with the known names."""
    return cards()[_known("card", name, list(cards()))]


def beside(name: str) -> float:
    """GiB of what runs beside vLLM, by its name or as a number."""
    try:
        return float(name)
    except ValueError:
        entries = _data()["beside"]
        return float(entries[_known("neighbour", name, list(entries))]["gib"])


@cache
def builds() -> dict[str, Build]:
    """The known builds by their full names."""
    data = _data()
    return {
        entry["name"]: Build(
            entry["name"],
            Shape(**data["shapes"][entry["shape"]]),
            parse(entry["quant"]),
            entry["source"],
            entry["tool_parser"],
            entry.get("file_gb"),
            entry.get("file_has_head", False),
        )
        for entry in data["builds"]
    }


def build(name: str) -> Build:
    """A build by its full name, or by the part behind the slash."""
    for full, known in builds().items():
        if name.lower() in {full.lower(), full.rpartition("/")[2].lower()}:
            return known
    raise UnsupportedError(
        f"no model {name!r} in {PATH.name}; `deploy/fit --list` shows them, --config takes any other"
    )


def table_names() -> list[str]:
    """The names that `--table` takes."""
    return list(_data()["tables"])


def table(name: str) -> Table:
    """A table by name."""
    entry = _data()["tables"][_known("table", name, table_names())]
    serving = Serving(
        window=entry["window"],
        requests=entry["requests"],
        batch_tokens=entry["batch_tokens"],
        eager=entry.get("eager", False),
        utilization=entry.get("utilization"),
        beside_gib=beside(entry.get("beside", "0")),
    )
    return Table(entry["title"], card(entry["card"]), serving, tuple(build(one) for one in entry["builds"]))
