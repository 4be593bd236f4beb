"""The compose files, scripts, docs and examples: that they hold together, with the policy and with the calculator."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import yaml

from sizing import budget, catalogue, show
from sizing.budget import Serving

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "deploy/server/compose.yaml"
BIG = ROOT / "deploy/gaming-pc/compose.yaml"
POLICY: dict[str, Any] = yaml.safe_load((ROOT / "conf/policy.yaml").read_text())
EVERYWHERE = {8000}
"""Ports that face the LAN: vLLM on the gaming PC, behind its firewall."""


def services(path: Path) -> dict[str, Any]:
    """The services of a compose file, with its merges made and its variables at their defaults."""
    text = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", path.read_text())
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


def flags(command: list[str]) -> dict[str, str]:
    """`--name=value` arguments as a map; a flag without a value is `true`."""
    return {name: value or "true" for name, _, value in (word[2:].partition("=") for word in command)}


def serving_of(options: dict[str, str], beside: float) -> Serving:
    """What the calculator needs of vLLM's flags."""
    return Serving(
        window=int(options["max-model-len"]),
        requests=int(options["max-num-seqs"]),
        batch_tokens=int(options["max-num-batched-tokens"]),
        eager="enforce-eager" in options,
        utilization=float(options["gpu-memory-utilization"]),
        beside_gib=beside,
    )


class Compose(unittest.TestCase):
    """What both compose files promise."""

    def each(self) -> list[tuple[str, dict[str, Any]]]:
        """Every service of both files."""
        return [pair for path in (SERVER, BIG) for pair in services(path).items()]

    def test_images_are_pinned(self) -> None:
        for name, service in self.each():
            with self.subTest(name):
                self.assertRegex(service["image"], r"^[a-z0-9./-]+:v?\d+\.\d+\.\d+$")

    def test_nothing_is_published_that_need_not_be(self) -> None:
        for name, service in services(SERVER).items():
            with self.subTest(name):
                for port in service.get("ports", []):
                    self.assertTrue(port.startswith("127.0.0.1:"), port)
                self.assertNotIn("privileged", service)
        wide = {int(port.split(":")[-2]) for port in services(BIG)["vllm-big"]["ports"] if "127.0.0.1" not in port}
        self.assertEqual(wide, EVERYWHERE)

    def test_what_is_on_the_hosts_network_listens_on_loopback(self) -> None:
        found = services(SERVER)
        self.assertEqual(
            {name for name, one in found.items() if one.get("network_mode") == "host"}, {"prometheus", "grafana"}
        )
        self.assertIn("--web.listen-address=127.0.0.1:9090", found["prometheus"]["command"])
        self.assertEqual(found["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"], "127.0.0.1")

    def test_every_service_has_a_check_and_comes_back(self) -> None:
        for name, service in self.each():
            with self.subTest(name):
                self.assertTrue(service["healthcheck"]["test"])
                self.assertEqual(service["restart"], "unless-stopped")

    def test_peers_of_the_policy_are_where_it_looks(self) -> None:
        found = services(SERVER)
        for backend, service in (("small", "vllm-small"), ("tts", "tts")):
            peer = POLICY["backends"][backend]["peers"][0]
            self.assertEqual(found[service]["ports"][0].rpartition(":")[0], peer)
        self.assertTrue(POLICY["backends"]["big"]["peers"][0].endswith(":8000"))

    def test_compose_itself_takes_them(self) -> None:
        client = next((one for one in (["docker", "compose"], ["docker-compose"]) if _is_compose_2(one)), None)
        if client is None:
            self.skipTest("no docker compose here")
        env = dict(os.environ, GRAFANA_PASSWORD="x", WEBUI_SECRET_KEY="x")
        overlay = ROOT / "windows/vllm/sleep.yaml"
        files = [[SERVER], [BIG]] + ([[BIG, overlay]] if overlay.exists() else [])
        for paths in files:
            named = [word for path in paths for word in ("-f", path)]
            done = subprocess.run(
                [*client, *named, "config", "-q"], env=env, capture_output=True, text=True, check=False
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_variable_is_explained(self) -> None:
        example = (SERVER.parent / "server.env.example").read_text()
        for name in set(re.findall(r"\$\{([A-Z_]+)", SERVER.read_text())) - {"SMALL_TOOL_PARSER"}:
            self.assertRegex(example, rf"(?m)^#? ?{name}=")


def _is_compose_2(client: list[str]) -> bool:
    if shutil.which(client[0]) is None:
        return False
    done = subprocess.run([*client, "version", "--short"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.lstrip("v")[:1].isdigit() and not done.stdout.startswith("1.")


class Models(unittest.TestCase):
    """The launch lines against conf/policy.yaml and the calculator."""

    def check(self, options: dict[str, str], backend: str, card: str, beside: float) -> None:
        """One launch line: name, window and number of requests as the policy has them, and it fits."""
        wanted = POLICY["backends"][backend]
        self.assertEqual(options["served-model-name"], wanted["model"])
        self.assertEqual(int(options["max-model-len"]), wanted["context_window"])
        self.assertGreaterEqual(int(options["max-num-seqs"]), POLICY["gpus"][wanted["gpu"]]["max_in_flight"])
        build = catalogue.build(options["model"])
        self.assertEqual(options["tool-call-parser"], build.tool_parser)
        self.assertLessEqual(wanted["context_window"], build.shape.max_context)
        answer = budget.fit(catalogue.card(card), build.shape, build.bytes(), serving_of(options, beside))
        self.assertIn(answer.verdict, {"fits", "tight"})

    def test_the_shares_that_the_policy_speaks_of(self) -> None:
        """Its comments: so many requests of so many tokens."""
        text = (ROOT / "conf/policy.yaml").read_text()
        for table, name, count, tokens in (
            ("small-beside-tts", "Qwen2.5-3B-Instruct-AWQ", 8, 4_400),
            ("big", "Qwen3-Coder-30B-A3B-Instruct-AWQ", 4, 12_300),
        ):
            self.assertIn(f"{count} of {tokens:,}", text)
            it, build = catalogue.table(table), catalogue.build(name)
            pool = budget.fit(it.card, build.shape, build.bytes(), it.serving).pool_tokens
            self.assertEqual(pool // count // 100 * 100, tokens)

    def test_the_small_one(self) -> None:
        options = flags(services(SERVER)["vllm-small"]["command"])
        self.check(options, "small", "rtx3070", catalogue.beside("tts"))

    def test_the_small_one_without_speech(self) -> None:
        example = (SERVER.parent / "server.env.example").read_text()
        found = dict(re.findall(r"(?m)^# (SMALL_MODEL|SMALL_SHARE)=(.+)$", example))
        options = flags(services(SERVER)["vllm-small"]["command"])
        options |= {"model": found["SMALL_MODEL"], "gpu-memory-utilization": found["SMALL_SHARE"]}
        self.check(options, "small", "rtx3070", 0.0)

    def test_the_big_one(self) -> None:
        self.check(flags(services(BIG)["vllm-big"]["command"]), "big", "rtx3090-wsl2", catalogue.beside("desktop"))

    def test_the_plain_script_says_the_same(self) -> None:
        script = (BIG.parent / "serve-big.sh").read_text()
        line = re.sub(r'"?\$\{[A-Z_]+:-([^}]*)\}"?', r"\1", script[script.index('vllm" serve') :])
        said = dict(re.findall(r"--([a-z-]+)=(\S+)", line))
        for name, value in flags(services(BIG)["vllm-big"]["command"]).items():
            with self.subTest(name):
                if name == "model":
                    self.assertIn(f" {value} ", line)
                elif value != "true":
                    self.assertEqual(said[name], value)
        version = services(BIG)["vllm-big"]["image"].rpartition(":v")[2]
        self.assertIn(f"VLLM={version}\n", script)
        self.assertEqual(services(BIG)["vllm-big"]["image"], services(SERVER)["vllm-small"]["image"])


class Docs(unittest.TestCase):
    """What the pages show is what the tools say."""

    def test_the_tables_of_models_md(self) -> None:
        text = (ROOT / "docs/models.md").read_text()
        found = dict(re.findall(r"<!-- fit: (\S+) -->\n(.*?)\n<!-- end -->", text, re.DOTALL))
        self.assertEqual(set(found), set(catalogue.table_names()))
        for name, shown in found.items():
            hint = f"renew it: deploy/fit --table {name}"
            self.assertEqual(shown, show.as_markdown(catalogue.table(name)), hint)

    def test_the_commands_of_models_md(self) -> None:
        """Each block that begins with `$ deploy/fit` shows what the command prints."""
        blocks = re.findall(r"```text\n\$ (deploy/fit .*?)\n(.*?)```", (ROOT / "docs/models.md").read_text(), re.DOTALL)
        self.assertGreaterEqual(len(blocks), 2)
        for command, shown in blocks:
            done = subprocess.run(command.split(), cwd=ROOT, capture_output=True, text=True, check=False)
            self.assertEqual(done.stdout, shown, command)


@unittest.skipUnless(os.environ.get("SLUICE"), "SLUICE names no binary")
class Examples(unittest.TestCase):
    """docs/examples, with the real sluice."""

    def run_sluice(self, command: str, policy: str, *arguments: str) -> tuple[int, str]:
        """A subcommand under the policy of an example; exit code and output."""
        with tempfile.TemporaryDirectory() as folder:
            settings = Path(folder, "sluice.yaml")
            settings.write_text(f"version: 1\npolicy: {ROOT}/docs/examples/{policy}.yaml\n")
            done = subprocess.run(
                [os.environ["SLUICE"], command, "--config", settings, *arguments],
                input=json.dumps({"messages": [{"role": "user", "content": "word " * 3000}]}),
                capture_output=True,
                text=True,
                check=False,
            )
        return done.returncode, done.stdout + done.stderr

    def backend(self, policy: str, *arguments: str) -> str:
        """Who answers a request of 3,000 words."""
        code, out = self.run_sluice("explain", policy, "--json", *arguments, "-")
        self.assertEqual(code, 0, out)
        return str(json.loads(out)["backend"])

    def test_they_are_valid_and_without_a_warning(self) -> None:
        names = sorted(path.stem for path in (ROOT / "docs/examples").glob("*.yaml"))
        self.assertEqual(names, ["second-pc", "second-server", "third-gpu"])
        for name in names:
            with self.subTest(name):
                code, out = self.run_sluice("check", name)
                self.assertEqual(code, 0, out)
                self.assertNotIn("warning", out)

    def test_a_third_card_takes_what_the_pc_cannot(self) -> None:
        self.assertEqual(self.backend("third-gpu"), "big")
        self.assertEqual(self.backend("third-gpu", "--gate", "gaming_pc=closed"), "medium")
        self.assertEqual(self.backend("third-gpu", "--gate", "gaming_pc=closed", "--down", "medium"), "small")

    def test_a_second_pc_has_a_gate_of_its_own(self) -> None:
        for first, second, who in (
            ("open", "open", "big"),
            ("closed", "open", "big_study"),
            ("open", "closed", "big"),
            ("unknown", "closed", "small"),
        ):
            gates = ("--gate", f"gaming_pc={first}", "--gate", f"study_pc={second}")
            self.assertEqual(self.backend("second-pc", *gates), who)
        forced = ("--header", "X-Force-Big: true", "--down", "big")
        self.assertEqual(self.backend("second-pc", "--gate", "study_pc=closed", *forced), "small")

    def test_a_second_server_answers_too(self) -> None:
        self.assertEqual(self.backend("second-server", "--gate", "gaming_pc=closed"), "small")


if __name__ == "__main__":
    unittest.main()
