"""The command `tts`: serve, fetch, check, and the voices."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from sluice_tts import __version__
from sluice_tts.errors import ApiError
from sluice_tts.settings import Settings, SettingsError, load

BAD_SETTINGS = 78  # as sysexits.h has it, and sluice


def main(arguments: list[str] | None = None) -> None:
    """Exits with 0, 1 for what failed, 2 for a wrong command line, 78 for wrong settings."""
    asked = _parser().parse_args(arguments)
    try:
        settings = load(asked.config)
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_SETTINGS)
    try:
        sys.exit(asked.run(settings, asked))
    except OSError as error:
        print(f"tts: {error}", file=sys.stderr)
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tts", description="OpenAI's /v1/audio/speech on Chatterbox Turbo.")
    parser.add_argument("--version", action="version", version=f"tts {__version__}")
    parser.add_argument("--config", type=Path, help="settings file, TOML; TTS_* in the environment goes before it")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("serve", help="run the service").set_defaults(run=_serve)
    fetch = commands.add_parser("fetch", help="download the weights, once; needs HF_TOKEN or TTS_TOKEN_FILE")
    fetch.add_argument("--force", action="store_true", help="download everything again")
    fetch.set_defaults(run=_fetch)
    commands.add_parser("check", help="check the settings and the weights").set_defaults(run=_check)
    _voices(commands.add_parser("voices", help="list, add and remove voices"))
    return parser


def _voices(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("list", help="their names").set_defaults(run=_list)
    add = commands.add_parser("add", help="check a recording of 5 to 10 seconds, and keep it")
    add.add_argument("name", help="letters, digits, - and _")
    add.add_argument("file", type=Path, help="WAV, 16 kHz, mono; with --convert any recording")
    add.add_argument("--convert", action="store_true", help="make it mono and 16 kHz, trim silence, cut to 10 s")
    add.add_argument("--replace", action="store_true", help="also if there is a voice of this name")
    add.set_defaults(run=_add)
    remove = commands.add_parser("remove", help="forget a voice")
    remove.add_argument("name")
    remove.set_defaults(run=_remove)


def _serve(settings: Settings, _: argparse.Namespace) -> int:
    # the weights are here or they are not: serving asks nobody for them
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
    from sluice_tts.serve import serve

    return serve(settings)


def _fetch(settings: Settings, asked: argparse.Namespace) -> int:
    from sluice_tts.hub.fetch import FetchError, fetch
    from sluice_tts.hub.token import TokenError

    try:
        folder = fetch(settings, force=asked.force)
    except (FetchError, TokenError) as error:
        print(f"tts: {error}", file=sys.stderr)
        return 1
    print(f"the weights are in {folder}\nrevision {folder.name}: put it into the settings to stay with it")
    return 0


def _check(settings: Settings, _: argparse.Namespace) -> int:
    from sluice_tts.engine.base import UnavailableError
    from sluice_tts.hub.files import broken
    from sluice_tts.hub.weights import Weights

    try:
        folder = Weights(settings).folder()
    except UnavailableError as error:
        print(f"tts: {error}", file=sys.stderr)
        return 1
    faults = list(broken(folder, thorough=True))
    for path, fault in faults:
        print(f"tts: {path} is broken: {fault}; run `tts fetch --force`", file=sys.stderr)
    if not faults:
        print(f"the settings are good, and the weights in {folder} are whole")
    return 1 if faults else 0


def _list(settings: Settings, _: argparse.Namespace) -> int:
    from sluice_tts.serve import store

    for kept in store(settings).list():
        print(kept.name)
    return 0


def _add(settings: Settings, asked: argparse.Namespace) -> int:
    from sluice_tts.serve import store

    if asked.file.stat().st_size > settings.max_upload:
        print(f"tts: {asked.file} has more than {settings.max_upload} bytes", file=sys.stderr)
        return 1
    return _told(
        lambda: store(settings).add(
            asked.name, asked.file.read_bytes(), convert=asked.convert, replace=asked.replace
        ),
        f"added {asked.name}",
    )


def _remove(settings: Settings, asked: argparse.Namespace) -> int:
    from sluice_tts.serve import store

    return _told(lambda: store(settings).remove(asked.name), f"removed {asked.name}")


def _told(change: Callable[[], object], said: str) -> int:
    try:
        change()
    except ApiError as error:
        print(f"tts: {error.message}", file=sys.stderr)
        return 1
    print(said)
    return 0
