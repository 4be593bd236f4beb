"""The command as it is started: `python -m sluice_bot`."""

import asyncio
import os
import signal
import sys
import unittest
from pathlib import Path

from .house import House

FOLDER = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 20


class Command(unittest.IsolatedAsyncioTestCase):
    """Exit codes, and what is printed."""

    async def start(self, *arguments: str, **environ: str) -> asyncio.subprocess.Process:
        """The command with these settings and no others."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "sluice_bot", *arguments)
        return await asyncio.create_subprocess_exec(*command, cwd=FOLDER, env=kept | environ, stdout=pipe, stderr=pipe)

    async def ran(self, *arguments: str, **environ: str) -> tuple[int | None, str]:
        """Exit code and all output of a run that ends by itself."""
        process = await self.start(*arguments, **environ)
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        return process.returncode, out.decode() + err.decode()

    async def test_help_lists_the_settings(self) -> None:
        code, told = await self.ran("--help")
        self.assertEqual(code, 0)
        self.assertIn("MATTERMOST_TOKEN_FILE", told)

    async def test_wrong_settings_end_it(self) -> None:
        code, told = await self.ran(BOT_ANSWERS="0")
        self.assertEqual(code, 78)
        self.assertEqual(told.count("\n"), 4, told)
        self.assertIn("MATTERMOST_URL: is not set", told)

    async def test_check_says_what_it_found(self) -> None:
        async with House(bot=False) as house:
            code, told = await self.ran("--check", **house.environ())
            self.assertEqual(code, 0, told)
            self.assertEqual(told, "Mattermost: I am @tayne\nsluice: auto, big, small, tts-1\n")
            wrong = {"MATTERMOST_TOKEN": "wrong", "BOT_MODEL": "gpt"}
            code, told = await self.ran("--check", **house.environ() | wrong)
            self.assertEqual(code, 1)
            self.assertIn("Mattermost: 401: Invalid or expired session\nBOT_MODEL: sluice has no gpt\n", told)
            code, told = await self.ran(**house.environ() | wrong)
            self.assertEqual(code, 78)
            self.assertIn("MATTERMOST_TOKEN: Mattermost refuses it", told)

    async def test_it_answers_until_it_is_told_to_stop(self) -> None:
        async with House(bot=False) as house:
            process = await self.start(**house.environ())
            try:
                await house.chat.until(lambda: house.chat.connections, "it is connected")
                done = await house.chat.say("@tayne hello")
                await house.chat.answer(done)
                house.small.go_on.clear()
                cut = await house.chat.say("@tayne hello")
                await house.chat.until(lambda: house.chat.answers(cut["id"]), "it begins")
                process.send_signal(signal.SIGTERM)
                self.assertIn("cut off here: the bot was stopped", await house.chat.answer(cut))
                _, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
                self.assertEqual(process.returncode, 0, err.decode())
                self.assertNotIn("Traceback", err.decode())
                self.assertNotIn("hello", err.decode(), "what people write is in no log")
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()


if __name__ == "__main__":
    unittest.main()
