"""The report: a table for people, JSON for programs."""

import dataclasses
import json
import pathlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cases import Result
from estimate import Estimated
from speed import Figure


@dataclass
class Report:
    """What a run showed."""

    versions: dict[str, str]
    compared: list[Result] = field(default_factory=list)
    checked: list[Result] = field(default_factory=list)
    estimated: list[Estimated] = field(default_factory=list)
    constants: dict[str, dict[str, int]] = field(default_factory=dict)
    speed: list[Figure] = field(default_factory=list)

    def faults(self) -> list[Result]:
        return [result for result in [*self.compared, *self.checked] if result.fault]

    def is_empty(self) -> bool:
        """Nothing was tried: a filter that nothing matches must not look like success."""
        return not (self.compared or self.checked or self.estimated or self.speed)

    def write(self, path: pathlib.Path) -> None:
        found: dict[str, Any] = dataclasses.asdict(self)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")

    def print(self) -> None:
        print("\n" + ", ".join(f"{name} {version}" for name, version in self.versions.items()))
        print_results("Both ways the same", self.compared)
        print_results("Checks", self.checked)
        if self.estimated:
            print_estimates(self.estimated, self.constants)
        if self.speed:
            print_speed(self.speed)
        print(f"\n{len(self.compared) + len(self.checked) - len(self.faults())} as they should be, {len(self.faults())} not")


def print_results(title: str, results: Iterable[Result]) -> None:
    print(f"\n## {title}\n")
    for result in results:
        print(f"{'FAIL' if result.fault else 'ok  '} {result.name}: {result.fault or result.note}")


def table(head: list[str], rows: Iterable[list[str]]) -> None:
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def print_estimates(estimated: list[Estimated], constants: dict[str, dict[str, int]]) -> None:
    print("\n## The estimate\n")
    rows = [[one.name, one.backend, f"{one.estimate:,}", f"{one.reported:,}", f"{one.error:+.1f}"] for one in estimated]
    table(["request", "backend", "sluice's estimate", "vLLM's prompt tokens", "error, %"], rows)
    print()
    names = next(iter(constants.values()))
    table(["tokens that the template adds for", *constants], [[name, *(str(of[name]) for of in constants.values())] for name in names])


def print_speed(figures: list[Figure]) -> None:
    print("\n## vllm bench serve\n")
    rows = [[one.name, f"{one.direct:.2f}", f"{one.proxied:.2f}", f"{one.ratio:.2f}" if one.ratio else ""] for one in figures]
    table(["", "directly", "through sluice", "ratio"], rows)
