"""Prometheus and promtool, as Debian has them."""

import contextlib
import json
import math
import pathlib
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

from process import eventually, free_port, running

CONF = pathlib.Path(__file__).resolve().parents[2] / "conf/prometheus"
RULE_TESTS = pathlib.Path(__file__).parent / "alerts.test.yml"


def promtool(tools: pathlib.Path, *arguments: str | pathlib.Path) -> None:
    """Runs it and fails with what it says."""
    done = subprocess.run([tools / "promtool", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"promtool {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}"


class Prometheus:
    """A running one."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}"

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API; fails with what it says is wrong."""
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {json.load(error)['error']}") from error

    def values(self, query: str) -> list[float]:
        """A query's values now, those left out that are no number."""
        data = self.get("query", query=query)
        assert data["resultType"] in ("vector", "scalar"), f"{query}: {data['resultType']}"
        found = [data["result"]] if data["resultType"] == "scalar" else [one["value"] for one in data["result"]]
        return [value for value in (float(text) for _, text in found) if not math.isnan(value)]


def _quick(config: str, target: str) -> str:
    """The shipped configuration, but for the address and the pace."""
    for shipped, here in (("127.0.0.1:8081", target), ("scrape_interval: 15s", "scrape_interval: 1s"),
                          ("evaluation_interval: 15s", "evaluation_interval: 1s")):
        assert config.count(shipped) == 1, f"prometheus.yml has {shipped} once"
        config = config.replace(shipped, here)
    return config


@contextlib.contextmanager
def prometheus(tools: pathlib.Path, folder: pathlib.Path, target: str) -> Iterator[Prometheus]:
    """Starts it with the shipped files, looking at `target` every second."""
    config, log = folder / "prometheus.yml", folder / "prometheus.log"
    config.write_text(_quick((CONF / config.name).read_text(encoding="utf-8"), target))
    shutil.copy(CONF / "alerts.yml", folder)
    address = f"127.0.0.1:{free_port()}"
    command = [tools / "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
               f"--web.listen-address={address}", "--log.level=warn"]
    with running([str(word) for word in command], log) as process:
        server = Prometheus(address)
        eventually(f"Prometheus is ready\n{log.read_text()}",
                   lambda: process.poll() is not None or server.is_ready())
        assert process.poll() is None, f"Prometheus ended:\n{log.read_text()}"
        yield server
