"""The command `opencode-bridge`: serve, and check."""

import argparse
import json
import os
import sys
from pathlib import Path

from sluice_bridge import __version__
from sluice_bridge.settings import Settings, SettingsError, load, secret

BAD_SETTINGS = 78  # as sysexits.h has it, and sluice


def main(arguments: list[str] | None = None) -> None:
    """Exits with 0, 1 for what failed, 2 for a wrong command line, 78 for wrong settings."""
    asked = _parser().parse_args(arguments)
    try:
        sys.exit(asked.run(load(asked.config)))
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_SETTINGS)
    except OSError as error:
        print(f"opencode-bridge: {error}", file=sys.stderr)
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="opencode-bridge", description="OpenAI's chat completions in front of `opencode serve`."
    )
    parser.add_argument("--version", action="version", version=f"opencode-bridge {__version__}")
    parser.add_argument("--config", type=Path, help="settings file, TOML; BRIDGE_* in the environment goes before it")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("serve", help="run the service").set_defaults(run=_serve)
    commands.add_parser("check", help="check the settings, the program and the keys; asks nobody").set_defaults(
        run=_check
    )
    commands.add_parser("show", help="print the configuration that opencode is given").set_defaults(run=_show)
    return parser


def _serve(settings: Settings) -> int:
    from sluice_bridge.serve import serve

    return serve(settings)


def _check(settings: Settings) -> int:
    problems = []
    if not os.access(settings.program, os.X_OK):
        problems.append(f"program: {settings.program} cannot be run")
    for name, file in (("api_key_file", settings.api_key_file), ("key_file", settings.key_file)):
        try:
            if file is not None:
                secret(file)
        except SettingsError as error:
            problems.append(f"{name}: {error}")
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print("the settings are good, the program is there, and so are the keys")
    return 1 if problems else 0


def _show(settings: Settings) -> int:
    from sluice_bridge.opencode.config import config

    print(json.dumps(config(settings), indent=1))
    return 0
