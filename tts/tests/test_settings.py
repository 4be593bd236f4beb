"""Settings from a file and the environment, and the commands around them."""

from pathlib import Path

import pytest

from conftest import Start
from sluice_tts.cli import main
from sluice_tts.engine.conditionals import Conditionals
from sluice_tts.settings import SettingsError, load
from sounds import reference, wav

EXAMPLE = Path(__file__).resolve().parents[1] / "tts.example.toml"


def exits(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    code = ended.value.code
    return code if isinstance(code, int) else 1


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tts.toml"
    file.write_text('port = 1\nmax_queue = 3\nstate_dir = "state"\nvoice_aliases = { alloy = "ann" }\n')
    monkeypatch.setenv("TTS_PORT", "2")
    settings = load(file)
    assert (settings.port, settings.max_queue) == (2, 3)
    assert settings.state_dir == tmp_path / "state"
    assert settings.voice_aliases == {"alloy": "ann"}


def test_the_example_names_every_setting_with_its_default() -> None:
    names = {line.split("=")[0].lstrip("# ").strip() for line in EXAMPLE.read_text().splitlines() if " = " in line}
    assert set(type(load()).model_fields) - names == {"standin_pace", "standin_log"}
    assert load(EXAMPLE).model_copy(update={"state_dir": load().state_dir}) == load()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prot = 1", "prot: there is no such setting; there are: .*port"),
        ("port = 70000", "port: .*less than or equal to 65535"),
        ("piece = 301", "piece: .*less than or equal to 300"),
        ('device = "tpu"', "device: "),
        ("port = ", "tts.toml: "),
        ('port = "x"\nmax_queue = -1', "(?s)port: .*max_queue: "),
    ],
)
def test_a_bad_file_is_refused_whole(
    tmp_path: Path, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tts.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=reason):
        load(file)
    assert exits("--config", str(file), "check") == 78
    assert capsys.readouterr().err


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_PROT", "1")
    with pytest.raises(SettingsError, match="TTS_PROT: there is no such setting"):
        load()


def test_voices_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], start: Start
) -> None:
    monkeypatch.setenv("TTS_STATE_DIR", str(tmp_path))
    service = start()
    good, short, stereo = (tmp_path / name for name in ("good.wav", "short.wav", "stereo.wav"))
    good.write_bytes(reference())
    short.write_bytes(reference(3))
    from sluice_tts.engine.reference import buzz

    stereo.write_bytes(wav(buzz(6.0, rate=44_100).repeat(2).reshape(-1, 2), 44_100))
    assert exits("voices", "add", "ann", str(good)) == 0
    assert service.speak(voice="ann").status_code == 200
    assert exits("voices", "add", "ann", str(good)) == 1
    assert "there is a voice" in capsys.readouterr().err
    assert exits("voices", "add", "ann", str(good), "--replace") == 0
    assert exits("voices", "add", "bob", str(short)) == 1
    assert "3.000 s" in capsys.readouterr().err
    assert exits("voices", "add", "bob", str(stereo)) == 1
    assert exits("voices", "add", "bob", str(stereo), "--convert") == 0
    assert exits("voices", "add", "../bob", str(good)) == 1
    assert exits("voices", "add", "eve", str(tmp_path / "nothing.wav")) == 1
    capsys.readouterr()
    assert exits("voices", "list") == 0
    assert capsys.readouterr().out.split() == ["ann", "bob"]
    assert exits("voices", "remove", "ann") == 0
    assert exits("voices", "remove", "ann") == 1
    assert service.speak(voice="ann").status_code == 404


def test_check_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTS_STATE_DIR", str(tmp_path))
    assert exits("check") == 1
    assert "run `tts fetch` once" in capsys.readouterr().err
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert exits("fetch") == 1
    assert "no Hugging Face token" in capsys.readouterr().err


def test_without_weights_the_service_runs_and_says_so(start: Start, tmp_path: Path) -> None:
    service = start(ready=False, engine="chatterbox", device="cpu", checkpoint=tmp_path / "none", load_retry=0.05)
    answer = service.wait("unavailable")
    assert answer.status_code == 503
    assert "there is no folder" in answer.json()["reason"]
    assert service.speak().status_code == 503
    assert service.client.get("/v1/audio/voices").json()["data"] == []


def test_voices_over_http(start: Start, tmp_path: Path) -> None:
    service = start(max_voices=1)
    assert service.upload("ann", reference()).status_code == 201
    assert service.upload("ann", reference()).status_code == 409
    assert service.upload("ann", reference(7), replace="true").status_code == 201
    assert service.upload("bob", reference()).json()["error"]["code"] == "too_many_voices"
    names = [voice["id"] for voice in service.client.get("/v1/audio/voices").json()["voices"]]
    assert names == ["default", "ann"]
    assert service.client.delete("/v1/audio/voices/ann").json()["deleted"] is True
    assert service.client.delete("/v1/audio/voices/ann").status_code == 404
    (tmp_path / "voices" / "bad.wav").write_bytes(b"not a recording")
    assert service.speak(voice="bad").json()["error"]["code"] == "invalid_audio"
    assert [path.name for path in (tmp_path / "voices").iterdir()] == ["bad.wav"]


def test_conditionals_are_kept_on_disk_and_boundedly_in_memory(tmp_path: Path) -> None:
    computed: list[str] = []

    def made(digest: str) -> str:
        computed.append(digest)
        return f"made of {digest}"

    def of(cache: Conditionals[str], digest: str) -> str:
        return cache.of(digest, lambda: made(digest))

    def cache() -> Conditionals[str]:
        return Conditionals(tmp_path, "1.txt", 2, Path.read_text, lambda made, path: void(path.write_text(made)))

    first = cache()
    assert [of(first, digest) for digest in "abcab"] == [f"made of {digest}" for digest in "abcab"]
    assert computed == ["a", "b", "c"]
    assert len(first) == 2
    (tmp_path / "a-1.txt").unlink()
    assert of(cache(), "b") == "made of b"
    assert of(cache(), "a") == "made of a"
    assert computed == ["a", "b", "c", "a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-1.txt", "b-1.txt", "c-1.txt"]


def void(_: object) -> None:
    """Nothing of it."""
