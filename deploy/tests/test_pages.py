"""What docs/migrating.md and docs/clients/ say of the policy and of the compose file."""

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

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "docs/clients"


def block(page: Path, language: str) -> str:
    """The first block of a language in a page."""
    found = re.search(rf"(?ms)^```{language}\n(.*?)^```", page.read_text())
    assert found, f"{page} has no {language}"
    return found[1]


class Pages(unittest.TestCase):
    """docs/clients/."""

    def test_the_overview_lists_every_page(self) -> None:
        listed = set(re.findall(r"\]\(([a-z-]+\.md)\)", (CLIENTS / "README.md").read_text()))
        self.assertEqual(listed, {path.name for path in CLIENTS.glob("*.md")} - {"README.md"})

    def test_links_lead_somewhere(self) -> None:
        for page in (*CLIENTS.glob("*.md"), ROOT / "docs/migrating.md"):
            for link in re.findall(r"\]\(((?!https?:)[^)#]+)", page.read_text()):
                self.assertTrue((page.parent / link).exists(), f"{page.name}: {link}")

    def test_open_webui_has_the_settings_of_the_page(self) -> None:
        shown = yaml.safe_load(block(CLIENTS / "open-webui.md", "yaml"))
        compose = yaml.safe_load((ROOT / "deploy/server/compose.yaml").read_text())
        real = compose["services"]["open-webui"]["environment"]
        self.assertGreater(len(shown), 8)
        self.assertEqual(shown, {name: real.get(name) for name in shown})


@unittest.skipUnless(os.environ.get("SLUICE"), "SLUICE names no binary")
class Aliases(unittest.TestCase):
    """The old names of docs/migrating.md in the shipped policy, with the real sluice."""

    def setUp(self) -> None:
        """The shipped policy with the page's names in it."""
        self.names: dict[str, Any] = yaml.safe_load(block(ROOT / "docs/migrating.md", "yaml"))["models"]
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        policy = yaml.safe_load((ROOT / "conf/policy.yaml").read_text())
        policy["models"] |= self.names
        (folder / "policy.yaml").write_text(yaml.safe_dump(policy, sort_keys=False))
        shutil.copy(ROOT / "conf/sluice.yaml", folder)
        self.settings = folder / "sluice.yaml"

    def explain(self, name: str, gate: str) -> tuple[str, str]:
        """Who answers a short question to a model, and why."""
        body = json.dumps({"model": name, "messages": [{"role": "user", "content": "hello"}]})
        done = subprocess.run(
            [os.environ["SLUICE"], "explain", "--config", self.settings, "--json", "--gate", f"gaming_pc={gate}", "-"],
            input=body,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        decision = json.loads(done.stdout)
        return decision["backend"], decision["reason"]

    def test_old_names_go_where_the_page_says_and_never_force(self) -> None:
        wanted = {
            "small": (("small", "matched"), ("small", "matched")),
            "big": (("big", "matched"), ("small", "gate_closed")),
        }
        wanted[""] = wanted["small"]
        for name, model in self.names.items():
            with self.subTest(name):
                backend = model.get("backend", "")
                self.assertEqual((self.explain(name, "open"), self.explain(name, "closed")), wanted[backend])


if __name__ == "__main__":
    unittest.main()
