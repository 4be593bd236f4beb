"""Makes the Grafana dashboard out of the list of panels below, so that a change of it can be read.

    python3 conf/grafana/dashboard.py            # writes conf/grafana/dashboards/sluice.json
    python3 conf/grafana/dashboard.py --check    # 1 when that file is not what this would write
"""

import dataclasses
import json
import pathlib
import sys
from typing import Any

FILE = pathlib.Path(__file__).parent / "dashboards/sluice.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24

Json = dict[str, Any]


@dataclasses.dataclass
class Panel:
    """A panel: what it shows, how wide it is, and the queries with their legends."""

    title: str
    says: str
    queries: dict[str, str]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8
    options: Json = dataclasses.field(default_factory=dict)
    defaults: Json = dataclasses.field(default_factory=dict)


def stat(title: str, says: str, query: str, legend: str = "", text: str = "auto", **more: Any) -> Panel:
    """One number, or one a series; `text` says whether its name is shown."""
    options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "textMode": text}
    return Panel(title, says, {legend: query}, kind="stat", width=3, height=5, options=options, **more)


def timeline(title: str, says: str, query: str, legend: str, states: list[tuple[int, str, str]]) -> Panel:
    """States over time; each is a number, a word and a colour."""
    return Panel(title, says, {legend: query}, kind="state-timeline", width=12, height=7, defaults=words(states),
                 options={"showValue": "auto", "mergeValues": True, "rowHeight": 0.8})


def words(states: list[tuple[int, str, str]]) -> Json:
    """Numbers shown as words in colours."""
    shown = {str(number): {"text": word, "color": colour} for number, word, colour in states}
    return {"mappings": [{"type": "value", "options": shown}], "color": {"mode": "thresholds"}}


def rate(metric: str, by: str, where: str = "") -> str:
    """Events a second, summed by these labels."""
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str, where: str = "") -> str:
    """A quantile of a histogram, by these labels."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', labels, where)})"


def quantiles(metric: str, by: str, where: str = "", shares: tuple[float, ...] = (0.5, 0.95)) -> dict[str, str]:
    """Several quantiles with their legends."""
    name = f"{{{{{by}}}}} " if by else ""
    return {f"{name}p{round(share * 100)}": quantile(share, metric, by, where) for share in shares}


CHOSEN = 'backend=~"$backend"'
ROUTED = f'backend!="",{CHOSEN}'
UP = words([(0, "down", "red"), (1, "up", "green")])
# The numbers of the gate's states: the highest that holds is shown.
GATE = ('max by (gate) (3 * sluice_gate_state{state="open"} or 2 * sluice_gate_state{state="draining"}'
        ' or 1 * sluice_gate_state{state="closed"} or 0 * sluice_gate_state{state="unknown"})')
GATE_STATES = [(0, "unknown", "orange"), (1, "closed", "red"), (2, "draining", "yellow"), (3, "open", "green")]

GLANCE = [
    stat("sluice", "Whether Prometheus reaches it.", 'up{job="sluice"}', defaults=UP),
    stat("Gates", "May the gaming PC be used?", GATE, "{{gate}}", defaults=words(GATE_STATES)),
    stat("Healthy peers", "Peers that may be used, of each backend.", "sum by (backend) (sluice_backend_healthy)",
         "{{backend}}"),
    stat("Requests", "All of them, refusals too.", "sum(rate(sluice_requests_total[$__rate_interval]))", unit="reqps"),
    stat("First byte, p95", "From the first byte in to the first byte of the answer.",
         quantile(0.95, "sluice_time_to_first_byte_seconds", "", 'backend!=""'), unit="s"),
    stat("On the cards", "Requests that run now.", "sum by (gpu) (sluice_gpu_in_flight)", "{{gpu}}"),
    stat("Waiting", "Requests that wait for a card now.", "sum by (gpu) (sluice_queue_depth)", "{{gpu}}"),
    stat("Policy", "Whether the latest policy file was taken.", "sluice_policy_last_reload_successful",
         defaults=words([(0, "refused", "red"), (1, "in force", "green")])),
]
TRAFFIC = [
    Panel("Requests", "Answers a second, by the backend that gave them; nothing is sluice itself.",
          {"{{backend}}": rate("sluice_requests_total", "backend", CHOSEN)}, unit="reqps"),
    Panel("First byte", "From the first byte in to the first byte of the answer's body, waiting included.",
          quantiles("sluice_time_to_first_byte_seconds", "backend", ROUTED), unit="s"),
    Panel("Duration", "From the first byte in to the last byte out.",
          quantiles("sluice_request_duration_seconds", "backend", ROUTED), unit="s"),
    Panel("Tokens", "As the backends report them.",
          {"{{backend}} {{kind}}": rate("sluice_tokens_total", "backend, kind", CHOSEN)}),
    Panel("In flight", "Requests at each backend.",
          {"{{backend}}": f"sum by (backend) (sluice_in_flight{{{CHOSEN}}})"}),
    Panel("Spend", "US dollars in the time shown; backends with a price alone.",
          {"{{backend}}": f"sum by (backend) (increase(sluice_spend_usd_total{{{CHOSEN}}}[$__range]))"},
          unit="currencyUSD"),
    Panel("Budgets", "How much of each is used in its period.",
          {"{{backend}}": f"max by (backend) (sluice_budget_used_ratio{{{CHOSEN}}})"}, unit="percentunit"),
]
DECISIONS = [
    Panel("Rules", "What decided.", {"{{rule}}": rate("sluice_requests_total", "rule", f'rule!="",{CHOSEN}')},
          unit="reqps"),
    Panel("Not the first choice", "Why a rule's own backend was not used.",
          {"{{reason}}": rate("sluice_requests_total", "reason", f'reason!~"matched|",{ROUTED}')}, unit="reqps"),
    Panel("Refusals", "Errors of sluice's own, by status and reason.",
          {"{{status}} {{reason}}": rate("sluice_requests_total", "status, reason", 'backend="",status=~"4..|5.."')},
          unit="reqps"),
    Panel("Errors from backends", "Passed on as they came.",
          {"{{backend}} {{status}}": rate("sluice_requests_total", "backend, status", f'status=~"4..|5..",{ROUTED}')},
          unit="reqps"),
    Panel("Failovers", "Requests that were sent to one backend and went on to another.",
          {"{{from}} → {{to}} {{reason}}": rate("sluice_failovers_total", "from, to, reason")}, unit="reqps"),
    Panel("Without an end", "Clients that left, and answers that broke off.", {
        "{{backend}} client left": rate("sluice_client_aborts_total", "backend", CHOSEN),
        "{{backend}} {{reason}}": rate("sluice_broken_answers_total", "backend, reason", CHOSEN),
    }, unit="reqps"),
]
CARDS = [
    Panel("On each card", "Requests that run, and how many may.", {
        "{{gpu}}": "sum by (gpu) (sluice_gpu_in_flight)", "{{gpu}} limit": "sum by (gpu) (sluice_gpu_limit)",
    }),
    Panel("Waiting", "Requests in each card's queue, and how many may be.", {
        "{{gpu}}": "sum by (gpu) (sluice_queue_depth)", "{{gpu}} limit": "sum by (gpu) (sluice_queue_limit)",
    }),
    Panel("Time spent waiting", "For a slot on the card.", quantiles("sluice_queue_wait_seconds", "gpu"), unit="s"),
]
HOUSE = [
    timeline("Gates", "Draining: closed, and something unforced still runs.", GATE, "{{gate}}", GATE_STATES),
    timeline("Peers", "By their probes.", f"sum by (backend, peer) (sluice_backend_healthy{{{CHOSEN}}})",
             "{{backend}} {{peer}}", [(0, "unhealthy", "red"), (1, "healthy", "green")]),
    Panel("Behind the gates", "Requests in flight; forced ones may pass a closed gate.",
          {"{{gate}} {{kind}}": "sum by (gate, kind) (sluice_gate_in_flight)"}),
    Panel("Past a gate that was not open", "Forced requests, by the gate's state.",
          {"{{gate}} {{state}}": rate("sluice_gate_overrides_total", "gate, state")}, unit="reqps"),
    Panel("Polls and changes", "What the mode endpoints said, and what came of it.", {
        "{{gate}} said {{result}}": rate("sluice_gate_polls_total", "gate, result"),
        "{{gate}} turned {{to}}": rate("sluice_gate_transitions_total", "gate, to"),
    }, unit="cps"),
]
ITSELF = [
    Panel("Overhead", "Time spent in sluice itself before the backend is asked.",
          quantiles("sluice_overhead_seconds", "", shares=(0.5, 0.99)), unit="s"),
    Panel("Estimate ÷ reported tokens", "1 is exact; below 1 a prompt was longer than it seemed.",
          quantiles("sluice_token_estimate_ratio", "backend", CHOSEN, (0.1, 0.5, 0.9))),
    Panel("Bodies held", "Bytes of requests in flight, and how many may be.",
          {"held": "sluice_buffered_bytes", "limit": "sluice_buffered_limit_bytes"}, unit="bytes"),
    Panel("Policy", "The generation in force, and reloads by their outcome.", {
        "generation": "sluice_policy_generation",
        "{{result}} in the time shown": "sum by (result) (increase(sluice_policy_reloads_total[$__range]))",
    }),
    Panel("Audit records lost", "The file could not be written, or not fast enough.",
          {"lost": "sum(rate(sluice_audit_dropped_total[$__rate_interval]))"}, unit="cps"),
    Panel("Memory", "Resident.", {"resident": 'process_resident_memory_bytes{job="sluice"}'}, unit="bytes"),
    Panel("CPU", "Cores in use.", {"cores": 'rate(process_cpu_seconds_total{job="sluice"}[$__rate_interval])'}),
    Panel("Open files", "Connections for the most part, and how many may be.", {
        "open": 'process_open_fds{job="sluice"}', "limit": 'process_max_fds{job="sluice"}',
    }),
    stat("Version", "What runs.", "sum by (version) (sluice_build_info)", "{{version}}", text="name"),
]
ROWS = {
    "At a glance": GLANCE, "Traffic": TRAFFIC, "Decisions": DECISIONS, "Cards": CARDS, "Gates and health": HOUSE,
    "sluice itself": ITSELF,
}


def target(number: int, legend: str, query: str) -> Json:
    """A query as Grafana keeps it."""
    return {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": query,
            "legendFormat": legend or "__auto", "range": True}


def panel_json(panel: Panel, place: Json, number: int) -> Json:
    """A panel as Grafana keeps it."""
    options = panel.options or {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    defaults = {"unit": panel.unit, "min": 0} | panel.defaults
    return {
        "id": number, "type": panel.kind, "title": panel.title, "description": panel.says, "datasource": SOURCE,
        "gridPos": place, "options": options, "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [target(index, *query) for index, query in enumerate(panel.queries.items())],
    }


def panels() -> list[Json]:
    """All panels, row by row from left to right."""
    placed: list[Json] = []
    top = 0
    for title, row in ROWS.items():
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        placed.append({"id": len(placed) + 1, "type": "row", "title": title, "collapsed": False,
                       "gridPos": place, "panels": []})
        left, top, height = 0, top + 1, 0
        for panel in row:
            if left + panel.width > COLUMNS:
                left, top, height = 0, top + height, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            placed.append(panel_json(panel, place, len(placed) + 1))
            left, height = left + panel.width, max(height, panel.height)
        top += height
    return placed


def variables() -> list[Json]:
    """What can be chosen at the top."""
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    query = "label_values(sluice_backend_info, backend)"
    backend = {"name": "backend", "label": "Backend", "type": "query", "datasource": SOURCE, "definition": query,
               "query": {"query": query, "refId": "backend"}, "refresh": 2, "sort": 1, "multi": True,
               "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}}
    return [source, backend]


def dashboard() -> Json:
    """The whole of it."""
    return {
        "uid": "sluice", "title": "sluice", "tags": ["sluice"], "schemaVersion": 39, "version": 1, "editable": True,
        "refresh": "15s", "time": {"from": "now-3h", "to": "now"}, "timezone": "browser", "graphTooltip": 1,
        "templating": {"list": variables()}, "annotations": {"list": []}, "links": [], "panels": panels(),
    }


def main() -> int:
    text = json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"
    if "--check" in sys.argv[1:]:
        same = FILE.is_file() and FILE.read_text(encoding="utf-8") == text
        print(f"{FILE.name} is {'what dashboard.py makes' if same else 'out of date: run dashboard.py'}")
        return 0 if same else 1
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
