"""The queries of the alerts, the dashboard and the documentation, as they can be asked when nothing is wrong."""

import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

# What Grafana puts in, for a test of some seconds.
GRAFANA = {"$__rate_interval": "15s", "$__range": "1m", "$__interval": "5s", "$backend": ".*"}
COMPARISON = re.compile(r"\s*(?:==|!=|>=|<=|>|<)\s*-?[\d.]+")
LEFT = re.compile(r"[<>]|==|!=|\bbool\b|\bunless\b")
APART = re.compile(r'(\{[^}]*\}|"[^"]*")')
VARIABLE = re.compile(r"label_values\((.+), (\w+)\)")
IN_TABLE = re.compile(r"^\| `(\w+)` .*\| `([^`]+)` \|$", re.MULTILINE)

METRIC = re.compile(r"^\| `(sluice_\w+)` \| (\w+) \|", re.MULTILINE)

# Metrics that nothing can fill yet, and why.
NOT_YET: dict[str, str] = {}


def without_comparison(expression: str) -> str:
    """What an alert compares, without the comparison: it is there also when nothing is wrong."""
    parts = APART.split(expression)
    bare = "".join(part if APART.fullmatch(part) else COMPARISON.sub("", part) for part in parts)
    left = "".join(part for part in APART.split(bare) if not APART.fullmatch(part))
    assert not LEFT.search(left), f"compared with something else than a number: {expression}"
    return bare


def filled_in(expression: str) -> str:
    """A dashboard's query with the values that Grafana would put in."""
    for name, value in sorted(GRAFANA.items(), key=lambda pair: -len(pair[0])):
        expression = expression.replace(name, value)
    assert "$" not in expression, f"a variable that nobody knows: {expression}"
    return expression


def dashboard(file: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Where a query stands and the query, for each of a dashboard."""
    whole = json.loads(file.read_text(encoding="utf-8"))
    for variable in whole["templating"]["list"]:
        if found := VARIABLE.fullmatch(variable.get("definition", "")):
            yield f"variable {variable['name']}", f"group by ({found[2]}) ({found[1]})"
    for panel in whole["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", filled_in(target["expr"])


def alerts(groups: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The same of the alerts, as Prometheus has read them."""
    for group in groups:
        for rule in group["rules"]:
            yield f"alert {rule['name']}", without_comparison(rule["query"])


def documented(file: pathlib.Path) -> Iterator[tuple[str, str]]:
    """The same of the examples in a Markdown table: its first column names a metric, its last one asks."""
    for name, query in IN_TABLE.findall(file.read_text(encoding="utf-8")):
        yield f"documentation of {name}", query.replace("\\|", "|")


def rises(file: pathlib.Path) -> Iterator[tuple[str, str]]:
    """For each metric of that table a query that has an answer once it was above zero."""
    for name, kind in METRIC.findall(file.read_text(encoding="utf-8")):
        yield f"metric {name}", f"max_over_time({name}{'_count' if kind == 'histogram' else ''}[5m]) > 0"


def not_yet(query: str) -> str | None:
    """Why a query cannot have an answer yet."""
    return next((why for name, why in NOT_YET.items() if name in query), None)
