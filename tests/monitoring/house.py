"""The real sluice in front of simulated peers: small queues, short times, an audit file on a full disk."""

import contextlib
import http.client
import json
import pathlib
import re
from collections.abc import Iterator

from peers import Peer
from process import eventually, free_port, running

SETTINGS = """\
version: 1
listen: { proxy: "127.0.0.1:0", admin: "127.0.0.1:0" }
policy: policy.yaml
limits: { body: 1MiB, buffered: 1MiB }
audit: { path: /dev/full }
shutdown_grace: 1s
"""
POLICY = """\
version: 1
gpus:
  rtx3070: { max_in_flight: 2, max_queue: 2, queue_timeout: 1500ms, exclusive: [tts] }
  rtx3090: { max_in_flight: 1, max_queue: 1, queue_timeout: 1500ms }
gates:
  gaming_pc: { mode_url: "http://PC/", poll_interval: 100ms, drain_timeout: 100ms }
backends:
  small: { gpu: rtx3070, peers: ["SMALL"], model: s, context_window: 16384 }
  big: { gpu: rtx3090, gate: gaming_pc, peers: ["BIG"], model: b, context_window: 32768, fail_soft: [small] }
  tts: { gpu: rtx3070, kind: speech, peers: ["TTS"], model: t }
  off: { peers: ["OFF"], model: o }
  paid: { kind: external, peers: ["SMALL"], model: p, price: { prompt: 1, completion: 2 }, budget: { usd: 5 } }
models:
  { auto: {}, big: {}, small: { backend: small }, b: { backend: big }, tts: { backend: tts }, off: { backend: off },
    paid: { backend: paid } }
rules:
  - { name: force-big, when: { model: [big] }, route: big, override_gate: true }
  - { name: gaming, when: { gate: { gaming_pc: [closed, unknown] } }, route: small }
  - { name: heavy-by-pattern, when: { prompt_matches: ['refactor'] }, route: big }
  - { name: default, route: small }
"""


class House:
    """A running sluice with everything behind it."""

    def __init__(self, folder: pathlib.Path, pc: Peer, proxy: str, admin: str) -> None:
        self.policy = folder / "policy.yaml"
        self.pc = pc
        self.proxy = proxy
        self.admin = admin

    def ask_admin(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        """Status and body of an answer of the admin listener."""
        connection = http.client.HTTPConnection(self.admin, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def set_mode(self, mode: str) -> None:
        """What the PC says from now on; pushed too, so that it holds at once."""
        self.pc.mode = mode
        status, said = self.ask_admin("PUT", "/gates/gaming_pc", json.dumps({"mode": mode}))
        assert status == 200, said


@contextlib.contextmanager
def house(binary: pathlib.Path, folder: pathlib.Path) -> Iterator[House]:
    """Starts it, waits until it is ready, and leaves nothing behind."""
    log = folder / "sluice.log"
    with Peer() as small, Peer() as big, Peer() as tts, Peer() as pc:
        places = {"SMALL": small.address, "BIG": big.address, "TTS": tts.address, "PC": pc.address,
                  "OFF": f"127.0.0.1:{free_port()}"}
        policy = re.sub(r"\b(SMALL|BIG|TTS|PC|OFF)\b", lambda found: places[found[0]], POLICY)
        (folder / "policy.yaml").write_text(policy)
        (folder / "sluice.yaml").write_text(SETTINGS)
        with running([str(binary), "serve", "--config", str(folder / "sluice.yaml")], log) as process:
            eventually(f"sluice is ready\n{log.read_text()}",
                       lambda: process.poll() is not None or "ready" in log.read_text())
            said = log.read_text()
            listening = dict(re.findall(r"(proxy|admin) listening on http://(\S+)", said))
            assert len(listening) == 2, f"sluice names its listeners:\n{said}"
            yield House(folder, pc, listening["proxy"], listening["admin"])
