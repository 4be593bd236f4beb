"""The alerts and the dashboard against a real Prometheus that scrapes the real sluice under load.

    python3 tests/monitoring/run.py --tools FOLDER [--bin target/debug/sluice]

FOLDER has Debian's `prometheus` and `promtool`. No query of the alerts, the dashboard and docs/metrics.md may be wrong
or without an answer, every metric must rise above zero at some time, and every alert must have its unit test and its
section in docs/operations.md. Exits 0 when all of that holds.
"""

import argparse
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

import load
import queries
from house import House, house
from prometheus import CONF, RULE_TESTS, Prometheus, prometheus, promtool

ROOT = pathlib.Path(__file__).resolve().parents[2]
METRICS = ROOT / "docs/metrics.md"
OPERATIONS = ROOT / "docs/operations.md"
GRAFANA = ROOT / "conf/grafana"
LIMIT_SECONDS = 120
ROUNDS_SECONDS = 60


def check_files(tools: pathlib.Path) -> None:
    """What can be said without anything running."""
    promtool(tools, "check", "config", CONF / "prometheus.yml")
    promtool(tools, "test", "rules", RULE_TESTS)
    made = subprocess.run([sys.executable, GRAFANA / "dashboard.py", "--check"], capture_output=True, text=True,
                          timeout=60, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    print("ok   promtool takes the configuration, and every unit test of the alerts passes")


def check_alert(rule: dict[str, Any], tests: str, sections: str) -> None:
    """An alert is evaluated, tested, explained."""
    name, labels, notes = rule["name"], rule["labels"], rule["annotations"]
    assert rule["health"] == "ok", f"{name}: {rule.get('lastError')}"
    assert f'"{name}"' in tests or f"alertname: {name}\n" in tests, f"{name} has a unit test"
    assert labels["severity"] in ("critical", "warning", "info"), name
    assert set(notes) == {"summary", "description", "runbook_url"}, name
    assert notes["runbook_url"] == f"docs/operations.md#{name.lower()}", name
    assert f"\n#### {name}\n" in sections, f"docs/operations.md has a section {name}"
    for alert in rule["alerts"]:
        assert "error expanding" not in str(alert["annotations"]), alert


def check_alerts(groups: list[dict[str, Any]]) -> None:
    """Every alert, and that no section is about one that is gone."""
    rules = [rule for group in groups for rule in group["rules"]]
    tests, sections = RULE_TESTS.read_text(encoding="utf-8"), OPERATIONS.read_text(encoding="utf-8")
    for rule in rules:
        check_alert(rule, tests, sections)
    gone = set(re.findall(r"^#### (Sluice\w+)$", sections, re.MULTILINE)) - {rule["name"] for rule in rules}
    assert not gone, f"docs/operations.md explains alerts that are not there: {gone}"
    print(f"ok   {len(rules)} alerts are evaluated, tested and explained")


def answered(server: Prometheus, asked: dict[str, str], seconds: float) -> dict[str, str]:
    """The queries that have no answer after one round of load, and some time for it to be scraped."""
    end = time.monotonic() + seconds
    while asked and time.monotonic() < end:
        asked = {where: query for where, query in asked.items() if not server.values(query)}
        if asked:
            time.sleep(0.2)
    return asked


def check_queries(server: Prometheus, home: House, asked: dict[str, str]) -> None:
    """Puts load on sluice until each query has had an answer."""
    end = time.monotonic() + ROUNDS_SECONDS
    left = asked
    while left and time.monotonic() < end:
        load.everything(home)
        left = answered(server, left, 3)
    lines = [f"  {where}: {query}" for where, query in left.items()]
    assert not left, "without an answer under load:\n" + "\n".join(lines)
    print(f"ok   {len(asked)} queries have an answer under load")


def all_queries(server: Prometheus) -> dict[str, str]:
    """Every query by the place it stands at; what cannot have an answer is only asked whether it is one."""
    groups = server.get("rules")["groups"]
    found = [*queries.alerts(groups), *queries.dashboard(GRAFANA / "dashboards/sluice.json"),
             *queries.documented(METRICS), *queries.rises(METRICS)]
    for where, query in found:
        server.values(query)
        if why := queries.not_yet(query):
            print(f"     {where} is left out under load: {why}")
    return {f"{where}: {number}": query for number, (where, query) in enumerate(found) if not queries.not_yet(query)}


def out_of_time(*_: object) -> None:
    """Ends the run; what was started is stopped on the way out."""
    raise SystemExit(f"the monitoring test took longer than {LIMIT_SECONDS} s")


def main() -> int:
    parser = argparse.ArgumentParser(description="The alerts and the dashboard against a real Prometheus.")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/debug/sluice")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help="the folder of prometheus and promtool")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(LIMIT_SECONDS)
    check_files(options.tools)
    with tempfile.TemporaryDirectory() as name, house(options.bin.resolve(), pathlib.Path(name)) as home, \
            prometheus(options.tools, pathlib.Path(name), home.admin) as server:
        check_queries(server, home, all_queries(server))
        check_alerts(server.get("rules")["groups"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
