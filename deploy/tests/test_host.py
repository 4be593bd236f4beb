"""deploy/host/setup.sh on made-up machines: a folder as the root, commands that only write down their calls.

What it cannot show: that NVIDIA's packages install and the module loads. README.md says what was tried for real.
"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "host/setup.sh"

COMMAND = """#!/bin/bash
# Stands for a command: writes down its call, and keeps what it "installed" in a file.
name=${0##*/}
echo "$name $*" >>"$MACHINE/calls"
case $name in
    env) shift && exec "$@" ;;
    apt-get)
        for word in "$@"; do
            [[ $word == -* || $word == install || $word == update ]] || echo "$word" >>"$MACHINE/installed"
        done
        ;;
    dpkg)
        [[ $1 == --print-architecture ]] && echo amd64
        [[ $1 == -i ]] && echo cuda-keyring >>"$MACHINE/installed"
        ;;
    dpkg-query) grep -qx -- "${*: -1}" "$MACHINE/installed" && printf installed ;;
    lspci) cat "$MACHINE/lspci" ;;
    docker) grep -Eqx 'docker-compose(-plugin)?' "$MACHINE/installed" ;;
    df) printf 'Avail\\n%sG\\n' "$(cat "$MACHINE/free")" ;;
    nvidia-ctk)
        mkdir -p "$SETUP_ROOT/etc/docker"
        echo '{"runtimes":{"nvidia":{"path":"nvidia-container-runtime"}}}' >"$SETUP_ROOT/etc/docker/daemon.json"
        ;;
esac
"""
COMMANDS = ("env", "apt-get", "dpkg", "dpkg-query", "lspci", "docker", "df", "nvidia-ctk", "systemctl", "curl", "rm")
CARD = "01:00.0 0300: 10de:2484 (rev a1)\n"


class Host(unittest.TestCase):
    """One made-up machine a test."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.machine = Path(folder.name)
        self.root = self.machine / "root"
        for place in ("etc", "proc/driver/nvidia", "var", "usr/bin", "tmp"):
            (self.root / place).mkdir(parents=True)
        (self.machine / "bin").mkdir()
        for name in COMMANDS:
            command = self.machine / "bin" / name
            command.write_text(COMMAND)
            command.chmod(0o755)
        self.debian(12, "bookworm")
        for name, text in (("lspci", CARD), ("free", "200"), ("installed", ""), ("calls", "")):
            (self.machine / name).write_text(text)

    def debian(self, release: int, codename: str) -> None:
        """What os-release says."""
        text = f'ID=debian\nVERSION_ID="{release}"\nVERSION_CODENAME={codename}\n'
        (self.root / "etc/os-release").write_text(text)

    def driver(self, version: str) -> None:
        """A loaded driver."""
        text = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build\n"
        (self.root / "proc/driver/nvidia/version").write_text(text)

    def run_setup(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output."""
        env = {
            "PATH": f"{self.machine}/bin:{os.environ['PATH']}",
            "MACHINE": str(self.machine),
            "SETUP_ROOT": str(self.root),
        }
        done = subprocess.run(
            ["/bin/bash", SCRIPT, *arguments],
            env=env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def changes(self) -> list[str]:
        """The calls that would change a machine."""
        calls = (self.machine / "calls").read_text().splitlines()
        return [call for call in calls if call.startswith(("apt-get", "dpkg -i", "curl", "systemctl", "nvidia-ctk"))]

    def test_a_dry_run_changes_nothing(self) -> None:
        code, out = self.run_setup("--dry-run")
        self.assertEqual((code, self.changes()), (0, []), out)
        self.assertIn("nvidia-driver-cuda nvidia-kernel-open-dkms", out)
        self.assertFalse((self.root / "etc/apt").exists())

    def test_a_bare_debian_12(self) -> None:
        code, out = self.run_setup("--yes")
        self.assertEqual(code, 3, out)
        self.assertIn("restart the machine", out)
        done = "\n".join(self.changes())
        self.assertIn("repos/debian12/x86_64/cuda-keyring", done)
        self.assertIn("nvidia-driver-pinning-580", done)
        self.assertIn("docker-ce", done)
        source = (self.root / "etc/apt/sources.list.d/docker.list").read_text()
        self.assertIn(" bookworm stable", source)
        self.assertIn("signed-by=/usr/share/keyrings/docker.asc", source)

    def test_a_bare_debian_13_takes_debians_docker(self) -> None:
        self.debian(13, "trixie")
        self.run_setup("--yes")
        done = "\n".join(self.changes())
        self.assertIn("docker.io docker-cli docker-compose", done)
        self.assertNotIn("docker-ce", done)
        self.assertIn("repos/debian13/", done)

    def test_a_second_run_does_nothing(self) -> None:
        self.run_setup("--yes")
        self.driver("580.126.09")
        (self.machine / "calls").write_text("")
        code, out = self.run_setup("--yes")
        self.assertEqual((code, self.changes()), (0, []), out)
        self.assertIn("All is there: driver 580", out)

    def test_only_what_is_missing_is_done(self) -> None:
        self.run_setup("--yes")
        self.driver("580.126.09")
        (self.root / "etc/docker/daemon.json").unlink()
        (self.machine / "calls").write_text("")
        self.run_setup("--yes")
        self.assertEqual(self.changes(), ["nvidia-ctk runtime configure --runtime=docker", "systemctl restart docker"])

    def test_another_branch(self) -> None:
        self.run_setup("--yes", "--branch", "595")
        self.assertIn("nvidia-driver-pinning-595", "\n".join(self.changes()))
        for wrong in ("535", "x", ""):
            self.assertEqual(self.run_setup("--branch", wrong)[0], 2)

    def test_an_old_driver_that_still_runs(self) -> None:
        self.run_setup("--yes")
        self.driver("535.261.03")
        code, out = self.run_setup("--yes")
        self.assertEqual(code, 3)
        self.assertIn("branch 535", out)

    def test_what_stands_in_the_way_is_told_and_nothing_done(self) -> None:
        def no_card() -> None:
            (self.machine / "lspci").write_text("00:02.0 0300: 8086:3e92\n")

        def no_room() -> None:
            (self.machine / "free").write_text("12")

        def old_docker() -> None:
            (self.machine / "installed").write_text("docker.io\n")

        def debians_driver() -> None:
            (self.machine / "installed").write_text("nvidia-driver\n")

        def run_file() -> None:
            (self.root / "usr/bin/nvidia-uninstall").touch()

        def secure_boot() -> None:
            place = self.root / "sys/firmware/efi/efivars"
            place.mkdir(parents=True)
            (place / "SecureBoot-8be4df61").write_bytes(bytes([6, 0, 0, 0, 1]))

        for spoil, word in (
            (no_card, "PCI bus"),
            (no_room, "12 GiB"),
            (old_docker, "compose 2"),
            (debians_driver, "too old"),
            (run_file, ".run file"),
            (secure_boot, "Secure Boot"),
        ):
            with self.subTest(spoil.__name__):
                self.doCleanups()
                self.setUp()
                spoil()
                code, out = self.run_setup("--yes")
                self.assertEqual((code, self.changes()), (1, []), out)
                self.assertIn(word, out)

    def test_the_card_may_come_later(self) -> None:
        (self.machine / "lspci").write_text("")
        code, out = self.run_setup("--yes", "--card-later")
        self.assertEqual(code, 0, out)
        self.assertIn("put the card in", out)

    def test_nobody_to_ask(self) -> None:
        code, out = self.run_setup()
        self.assertEqual((code, self.changes()), (1, []))
        self.assertIn("--yes", out)

    def test_another_system_is_refused(self) -> None:
        (self.root / "etc/os-release").write_text('ID=ubuntu\nVERSION_ID="24.04"\n')
        code, out = self.run_setup("--dry-run")
        self.assertEqual(code, 1)
        self.assertIn("ubuntu 24", out)
        self.assertEqual(self.run_setup("--what")[0], 2)


if __name__ == "__main__":
    unittest.main()
