"""What runs: two vLLM servers and sluice in front of them, on free ports. Nothing of them is left at the end."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any, Self

from exchange import ask, wait_until

HERE = pathlib.Path(__file__).resolve().parent
VLLM_START_SECONDS = 900
NAMES = {"small": "qwen3-coder-7b", "big": "qwen3-coder-14b"}
WINDOWS = {"small": 16_384, "big": 32_768}
METRIC = re.compile(r"^vllm:(\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)

SETTINGS = """
version: 1
listen: {{ proxy: 127.0.0.1:{proxy}, admin: 127.0.0.1:{admin} }}
policy: policy.yaml
audit: {{ path: audit.jsonl }}
"""

# The shipped policy but for: the gate's mode is pushed, a short drain, eight slots on both cards (what `serve` gives
# vLLM), and small fails over to big too.
POLICY = """
version: 1
gpus:
  rtx3070: {{ max_in_flight: 8, max_queue: 64, queue_timeout: 120s }}
  rtx3090: {{ max_in_flight: 8, max_queue: 64, queue_timeout: 120s }}
gates:
  gaming_pc: {{ on_close: cancel, drain_timeout: 1s }}
backends:
  small:
    gpu: rtx3070
    peers: [127.0.0.1:{small}]
    model: qwen3-coder-7b
    context_window: 16384
    fail_soft: [big]
  big:
    gpu: rtx3090
    gate: gaming_pc
    peers: [127.0.0.1:{big}]
    model: qwen3-coder-14b
    context_window: 32768
    fail_soft: [small]
models:
  auto: {{}}
  big: {{}}
  small: {{ backend: small }}
  qwen3-coder-7b: {{ backend: small }}
  qwen3-coder-14b: {{ backend: big }}
prompt:
  tags: {{ force_big: '(?i)#force_big\\b' }}
rules:
  - name: force-big
    when: {{ any: [ {{ header: {{ name: X-Force-Big, is: true }} }}, {{ model: [big] }}, {{ tag: [force_big] }} ] }}
    route: big
    override_gate: true
  - name: gaming
    when: {{ gate: {{ gaming_pc: [closed, unknown] }} }}
    route: small
  - name: heavy-by-tokens
    when: {{ tokens: {{ at_least: 2000 }} }}
    route: big
  - name: default
    route: small
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A program in a session of its own, so that it can be ended with all that it started."""

    def __init__(self, command: list[str], log: pathlib.Path, folder: pathlib.Path) -> None:
        self.log = log
        with log.open("wb") as out:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder, start_new_session=True
            )

    def must_run(self) -> None:
        if (status := self._child.poll()) is not None:
            raise RuntimeError(f"{self.log.stem} ended with {status}; its last lines:\n{self.last_lines()}")

    def last_lines(self, count: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def pids(self) -> Iterator[int]:
        """The processes of its session that still run."""
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, ProcessLookupError):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if os.getsid(int(entry.name)) == self._child.pid and state != "Z":
                    yield int(entry.name)

    def cpu(self) -> float:
        """Seconds of CPU that the processes of its session have used so far."""
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def signal(self, number: signal.Signals) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        self.signal(signal.SIGKILL)
        self._child.wait()

    def stop(self, seconds: float = 15) -> None:
        """Asks it to end, and ends what then still runs."""
        if self._child.poll() is None:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(seconds)
        self.signal(signal.SIGCONT)
        self.kill()


class Vllm(Process):
    """One vLLM server: `small` or `big`."""

    def __init__(self, which: str, env: pathlib.Path, folder: pathlib.Path, port: int | None = None) -> None:
        self.which, self.name, self.window = which, NAMES[which], WINDOWS[which]
        self.port = port or free_port()
        command = [str(HERE / "serve"), str(env), which, str(self.port)]
        super().__init__(command, folder / f"vllm-{which}.log", folder)

    def healthy(self) -> bool:
        self.must_run()
        with contextlib.suppress(OSError):
            return ask(self.port, "GET", "/health").status == 200
        return False

    def metric(self, name: str, label: str = "") -> float:
        """A metric's value, summed over the series whose labels contain `label`."""
        found = METRIC.findall(ask(self.port, "GET", "/metrics").text)
        return sum(float(value) for metric, labels, value in found if metric == name and label in labels)

    def running(self) -> int:
        return int(self.metric("num_requests_running") + self.metric("num_requests_waiting"))

    def ended(self, reason: str) -> int:
        return int(self.metric("request_success_total", f'finished_reason="{reason}"'))

    def version(self) -> str:
        return str(ask(self.port, "GET", "/version").json()["version"])

    def engine(self) -> int:
        """The process that computes; the HTTP server is another."""
        for pid in self.pids():
            with contextlib.suppress(OSError):
                if b"EngineCore" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        raise RuntimeError(f"vLLM {self.which} has no engine process")


class Sluice(Process):
    """sluice in front of both."""

    def __init__(self, binary: pathlib.Path, small: Vllm, big: Vllm, folder: pathlib.Path) -> None:
        self.port, self.admin = free_port(), free_port()
        (folder / "sluice.yaml").write_text(SETTINGS.format(proxy=self.port, admin=self.admin))
        (folder / "policy.yaml").write_text(POLICY.format(small=small.port, big=big.port))
        command = [str(binary), "serve", "--config", str(folder / "sluice.yaml")]
        super().__init__(command, folder / "sluice.log", folder)
        wait_until(self._ready, 30, "sluice ready")

    def _ready(self) -> bool:
        self.must_run()
        with contextlib.suppress(OSError):
            return ask(self.admin, "GET", "/readyz").status == 200
        return False

    def push(self, mode: str) -> None:
        """Says the gaming PC's mode; in force when this returns."""
        if (answer := ask(self.admin, "PUT", "/gates/gaming_pc", {"mode": mode})).status != 200:
            raise RuntimeError(f"PUT /gates/gaming_pc: {answer.status} {answer.text}")

    def status(self) -> Any:
        return ask(self.admin, "GET", "/status").json()

    def in_flight(self, backend: str) -> int:
        return sum(int(peer["in_flight"]) for peer in self.status()["backends"][backend]["peers"])


class Site:
    """All three, started together."""

    def __init__(self, env: pathlib.Path, binary: pathlib.Path, folder: pathlib.Path) -> None:
        self.env, self._folder = env, folder
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self.vllm = {which: self._started(which, stack) for which in NAMES}
            wait_healthy(list(self.vllm.values()))
            self.sluice = Sluice(binary, self.vllm["small"], self.vllm["big"], folder)
            stack.callback(self.sluice.stop)
            self._stack = stack.pop_all()

    def _started(self, which: str, stack: contextlib.ExitStack, port: int | None = None) -> Vllm:
        server = Vllm(which, self.env, self._folder, port)
        stack.callback(server.stop)
        return server

    def start_again(self, which: str) -> None:
        """Starts a server that was killed, on the port that it had."""
        self.vllm[which] = self._started(which, self._stack, self.vllm[which].port)
        wait_healthy([self.vllm[which]])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def wait_healthy(servers: list[Vllm]) -> None:
    """Until all answer; says now and then that it still waits."""
    began = said = time.monotonic()
    while not all(server.healthy() for server in servers):
        now = time.monotonic()
        if now - began > VLLM_START_SECONDS:
            raise TimeoutError(f"vLLM is not up after {VLLM_START_SECONDS} s:\n{servers[0].last_lines()}")
        if now - said > 20:
            said = now
            print(f"    vLLM is starting: {now - began:.0f} s", flush=True)
        time.sleep(0.5)
    print(f"    vLLM is up after {time.monotonic() - began:.0f} s", flush=True)
