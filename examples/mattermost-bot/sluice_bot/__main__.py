"""The command: `python -m sluice_bot` runs the bot, `--check` looks whether it could run."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys

import aiohttp

from . import settings
from .bot import Bot
from .events import Events
from .mattermost import Mattermost, MattermostError, User
from .settings import Settings, SettingsError
from .sluice import BrokenError, RefusedError, Sluice, UnreachableError

BAD_CONFIGURATION = 78
LONGEST_WAIT_SECONDS = 30.0
log = logging.getLogger("sluice_bot")


def main() -> int:
    """Exit code: 0 after a stop, 1 when `--check` found something, 78 for settings or a token that are wrong."""
    parser = argparse.ArgumentParser(
        prog="sluice_bot",
        description=__doc__,
        epilog=f"settings, from the environment:\n{settings.HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="ask Mattermost and sluice once, say what is wrong, end")
    options = parser.parse_args()
    try:
        chosen = settings.read(os.environ)
    except SettingsError as wrong:
        print("\n".join(wrong.problems), "`--help` lists the settings", sep="\n", file=sys.stderr)
        return BAD_CONFIGURATION
    logging.basicConfig(level=chosen.log.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    return asyncio.run(_check(chosen) if options.check else _serve(chosen))


async def _serve(chosen: Settings) -> int:
    """Runs until SIGTERM or SIGINT."""
    task = asyncio.ensure_future(_run(chosen))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        log.info("stopped")
        return 0


async def _run(chosen: Settings) -> int:
    async with aiohttp.ClientSession() as http:
        mattermost = Mattermost(http, chosen.mattermost_url, chosen.mattermost_token)
        try:
            me, began = await _who_am_i(mattermost)
        except MattermostError as why:
            print(f"MATTERMOST_TOKEN: Mattermost refuses it: {why}", file=sys.stderr)
            return BAD_CONFIGURATION
        log.info("I am @%s at %s; I ask %s", me.name, chosen.mattermost_url, chosen.sluice_url)
        await Bot(mattermost, Sluice(http, chosen), chosen, me).run(Events(mattermost, began))
    raise AssertionError("the events have no end")


async def _who_am_i(mattermost: Mattermost) -> tuple[User, int]:
    """The bot's account. Mattermost may start later than the bot: only a refusal is final."""
    wait = 1.0
    while True:
        try:
            return await mattermost.me()
        except MattermostError as why:
            if not why.passing:
                raise
            log.warning("Mattermost cannot be asked: %s; again in %.0f s", why, wait)
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


async def _check(chosen: Settings) -> int:
    """Asks both sides once."""
    problems = []
    async with aiohttp.ClientSession() as http:
        try:
            me, _ = await Mattermost(http, chosen.mattermost_url, chosen.mattermost_token).me()
            print(f"Mattermost: I am @{me.name}{'' if me.is_bot else ', and no bot account: make one'}")
        except MattermostError as why:
            problems.append(f"Mattermost: {why}")
        try:
            names = await Sluice(http, chosen).models()
            print(f"sluice: {', '.join(names)}")
            wanted = {"BOT_MODEL": chosen.model, "BOT_SPEECH_MODEL": chosen.speech_model}
            problems += [f"{key}: sluice has no {name}" for key, name in wanted.items() if name and name not in names]
        except (RefusedError, UnreachableError, BrokenError) as why:
            problems.append(f"sluice: {why}")
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
