"""Settings, the command, and what opencode is started with."""

import json
import subprocess
import textwrap
import tomllib
from pathlib import Path

import pytest

from house import ROOT, sluice
from sluice_bridge.cli import main
from sluice_bridge.opencode.config import config, environment
from sluice_bridge.settings import Settings, SettingsError, load, secret

EXAMPLE = Path(__file__).resolve().parents[1] / "bridge.example.toml"


def test_the_example_holds_every_setting_with_its_default() -> None:
    lines = [line.removeprefix("# ") for line in EXAMPLE.read_text().splitlines()]
    values = tomllib.loads("\n".join(line for line in lines if " = " in line.split("#")[0]))
    assert set(values) == set(Settings.model_fields)
    shown = {name for name in values if f"\n# {name} = " in EXAMPLE.read_text()}
    assert Settings(**{name: value for name, value in values.items() if name not in shown}) == Settings()
    assert load(EXAMPLE) == Settings()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "nowhere"])  # noqa: S104
def test_it_is_on_the_loopback_or_not_at_all(host: str) -> None:
    with pytest.raises(SettingsError, match="host"):
        load(None, host=host)


def test_wrong_settings_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text('prot = 1\nmax_running = 0\napi_key_file = "key"\n')
    with pytest.raises(SettingsError) as told:
        load(file)
    assert "prot: there is no such setting; there are: answer_timeout" in str(told.value)
    assert "max_running: " in str(told.value)
    file.write_text('api_key_file = "key"\nport = 1\n')
    monkeypatch.setenv("BRIDGE_PORT", "2")
    settings = load(file)
    assert (settings.api_key_file, settings.port) == (tmp_path / "key", 2)
    monkeypatch.setenv("BRIDGE_PROT", "2")
    with pytest.raises(SettingsError, match="BRIDGE_PROT"):
        load(file)


def test_a_key_is_one_word(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(" sk-1\n")
    assert secret(file) == "sk-1"
    for text in ("", "two words", "two\nlines", "é"):
        file.write_text(text)
        with pytest.raises(SettingsError, match="one key"):
            secret(file)
    with pytest.raises(SettingsError, match="No such file"):
        secret(tmp_path / "none")


def test_opencode_may_do_nothing_and_knows_one_provider(tmp_path: Path) -> None:
    written = config(Settings(api_key_file=tmp_path / "key"))
    assert written["permission"] == written["agent"]["bridge"]["permission"] == {"*": "deny"}
    assert written["enabled_providers"] == ["anthropic"] == list(written["provider"])
    assert written["provider"]["anthropic"]["options"] == {"apiKey": f"{{file:{tmp_path / 'key'}}}"}
    assert "steps" not in written["agent"]["bridge"], "it writes orders of its own into each request"
    own = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy",
        "ANTHROPIC_API_KEY": "sk",
        "HOME": "/root",
        "OPENCODE_X": "1",
    }
    given = environment(tmp_path, tmp_path / "opencode.json", tmp_path / "work", "secret", own)
    assert (given["HOME"], given["HTTPS_PROXY"]) == (str(tmp_path), "http://proxy")
    assert not {"ANTHROPIC_API_KEY", "OPENCODE_X"} & set(given)
    assert given["OPENCODE_SERVER_PASSWORD"] == "secret"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text('program = "opencode"\napi_key_file = "key"\n')

    def run(*arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["--config", str(file), *arguments])
        out, err = capsys.readouterr()
        return left.value.code, out, err

    status, _, said = run("check")
    assert status == 1
    assert "program: " in said
    assert "api_key_file: " in said
    (tmp_path / "key").write_text("sk-1\n")
    (tmp_path / "opencode").write_text("")
    (tmp_path / "opencode").chmod(0o700)
    assert run("check")[0] == 0
    assert json.loads(run("show")[1])["default_agent"] == "bridge"
    file.write_text("port = -1\n")
    assert run("serve")[0] == 78
    assert run("--help")[0] == 0


def test_the_policy_in_the_manual_is_one_that_sluice_takes(tmp_path: Path) -> None:
    page = (ROOT / "docs/human-tier.md").read_text()
    block = textwrap.dedent(page.split("```yaml\n")[1].split("```")[0]).replace('"…"', f'"{"0" * 64}"')
    small = "  small: { peers: ['127.0.0.1:1'], model: small }\n"
    policy = block.replace("backends:\n", f"version: 1\nbackends:\n{small}")
    (tmp_path / "policy.yaml").write_text(f"{policy}\nrules: [{{ name: default, route: small }}]\n")
    (tmp_path / "sluice.yaml").write_text("version: 1\nlisten: { proxy: 127.0.0.1:0 }\npolicy: policy.yaml\n")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/bridge").write_text("key\n")
    (tmp_path / "keys/bridge").chmod(0o600)
    config = ["--config", str(tmp_path / "sluice.yaml")]
    checked = subprocess.run([str(sluice()), "check", *config], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # the engine: only the client that the model names gets there
    body = '{"model":"claude","messages":[{"role":"user","content":"hello"}]}'
    for client, status, said in (("laptop", 0, '"backend":"claude"'), ("lan", 3, "not_allowed")):
        command = [str(sluice()), "explain", *config, "--client", client, "--json", "-"]
        explained = subprocess.run(command, input=body, capture_output=True, text=True, check=False)
        assert (explained.returncode, said in explained.stdout.replace(" ", "")) == (status, True), explained
