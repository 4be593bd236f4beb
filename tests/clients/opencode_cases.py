"""OpenCode, the coding agent, with sluice as its provider: the real program, `opencode run`, in a home of its own."""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import platform
import subprocess
import tempfile
from typing import Any

from page_cases import SERVER, blocks
from peer import Seen
from stage import Json, Stage, id_of, script

PROGRAM = (
    pathlib.Path(__file__).resolve().parent / "node/node_modules/opencode-linux-x64-baseline/bin/opencode"
)
# Of one run, on a busy machine: it takes four seconds of processor time.
LIMIT_SECONDS = 180
NOWHERE = "http://127.0.0.1:9"
SECRET = "the password is swordfish"
# Nothing of these is wanted: they ask the internet, or look at the machine's own settings.
QUIET = (
    "AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS", "SHARE", "CLAUDE_CODE", "EXTERNAL_SKILLS",
)


@dataclasses.dataclass(frozen=True)
class Ran:
    """What came of one run: its output, what the peers received, and what sluice decided."""

    said: str
    seen: list[Seen]
    decided: list[Json]

    def turns(self) -> list[tuple[str, str, str]]:
        """Model, rule and backend of each request of the agent; the one for the session's title left out."""
        agents = [it for it in self.decided if "tools" in it["facts"]["has"]]
        return [(it["facts"]["model"], it["rule"], it["backend"]) for it in agents]


def can_run() -> bool:
    """Whether there is a program for this machine; where there should be one, it must be there."""
    return platform.system() == "Linux" and platform.machine() == "x86_64"


def settings(stage: Stage, headers: dict[str, str]) -> Json:
    """`opencode.json` as docs/clients/ has it, with this address, a key, and the case's plan in every request."""
    ((text, _),) = blocks("opencode.md", "json")
    shown: Json = json.loads(text)
    options = shown["provider"]["sluice"]["options"]
    assert options == {"baseURL": f"{SERVER}/v1", "apiKey": "none"}, options
    options |= {"baseURL": f"{stage.proxy}/v1", "apiKey": "sk-secret", "headers": headers}
    return shown


def environment(home: pathlib.Path, project: pathlib.Path) -> dict[str, str]:
    """This process's, but for all that points to the user's own settings; OpenCode takes its folder from PWD."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "OPENCODE_"))}
    quiet = {f"OPENCODE_DISABLE_{name}": "1" for name in QUIET}
    own = {"HOME": str(home), "TMPDIR": str(home), "PWD": str(project), "NPM_CONFIG_REGISTRY": NOWHERE}
    return {**kept, **own, **quiet}


def run(stage: Stage, model: str, prompt: str, tool: bool = False) -> Ran:
    """One `opencode run` in a folder that holds a note; `tool`: the model asks for the note."""
    with tempfile.TemporaryDirectory(prefix="sluice-opencode-") as name:
        home, project = pathlib.Path(name, "home"), pathlib.Path(name, "project")
        home.mkdir()
        project.mkdir()
        note = project / "note.txt"
        note.write_text(SECRET)
        plan: dict[str, Any] = {"tool": {"name": "read", "arguments": json.dumps({"filePath": str(note)})}}
        options = script(**(plan if tool else {}))
        (project / "opencode.json").write_text(json.dumps(settings(stage, options["extra_headers"])))
        ran = subprocess.run(
            [str(PROGRAM), "run", "--model", f"sluice/{model}", prompt], cwd=project, env=environment(home, project),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False,
        )
    assert ran.returncode == 0, f"exit {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    seen = stage.seen(id_of(options))
    return Ran(ran.stdout, seen, stage.decisions(id_of(options), len(seen)))


def together(*runs: Any) -> list[Ran]:
    """Runs several at one time: each waits for itself most of the time."""
    with concurrent.futures.ThreadPoolExecutor(len(runs)) as pool:
        return [future.result() for future in [pool.submit(*each) for each in runs]]


def case_it_works_while_nobody_plays(stage: Stage) -> None:
    auto, small, big = together(
        (run, stage, "auto", "read note.txt", True),
        (run, stage, "small", "say hello"),
        (run, stage, "big", "say hello"),
    )
    # An agent's instructions and tools alone are long enough for the big model.
    assert auto.turns() == [("auto", "heavy-by-tokens", "big")] * 2, auto
    assert auto.said.startswith("the tool said: ") and SECRET in auto.said, auto.said
    assert small.turns() == [("small", "model:small", "small")], small
    assert big.turns() == [("big", "force-big", "big")], big
    assert big.said.strip() == "big-model word1 word2 word3 word4", big.said
    assert small.said.strip() == "small-model word1 word2 word3 word4", small.said
    titles = [it for it in auto.decided if "tools" not in it["facts"]["has"]]
    assert [(it["rule"], it["backend"]) for it in titles] == [("model:small", "small")], auto
    for ran in (auto, small, big):
        assert all(it["status"] == 200 and it["facts"]["stream"] for it in ran.decided), ran
        assert not any(seen.keys or seen.gone for seen in ran.seen), ran


def case_only_what_is_forced_reaches_the_big_model_while_somebody_plays(stage: Stage) -> None:
    stage.push("gaming_pc", "GAMING")
    try:
        forced, unforced = together(
            (run, stage, "auto", "say hello #force_big"), (run, stage, "auto", "say hello")
        )
    finally:
        stage.push("gaming_pc", "NORMAL")
    assert forced.turns() == [("auto", "force-big", "big")], forced
    assert unforced.turns() == [("auto", "gaming", "small")], unforced
    assert {seen.peer for seen in unforced.seen} == {"small-model"}, unforced
    assert "force_big" not in json.dumps([seen.body for seen in forced.seen]), "the tag reached a model"
