"""The parts that need nobody else: settings, mentions, history, pages, words, streams."""

import tempfile
import unittest
from pathlib import Path
from typing import Any

from sluice_bot import ask, draft, history, settings, spoken, words
from sluice_bot.mattermost import Post, User
from sluice_bot.settings import SettingsError
from sluice_bot.sluice import BrokenError, RefusedError, Route, UnreachableError
from sluice_bot.sse import Lines

GOOD = {"MATTERMOST_URL": "https://chat.example.org/", "MATTERMOST_TOKEN": "abc"}
ME = User("bot0", "tayne", True)
PEOPLE = {
    "ann0": User("ann0", "ann", False),
    "bob0": User("bob0", "bob", False),
    "x0": User("x0", "x", True),
    "bot0": ME,
}


def problems(**environ: str) -> list[str]:
    """What is wrong with the good settings and these."""
    try:
        settings.read({**GOOD, **environ})
    except SettingsError as wrong:
        return wrong.problems
    return []


def post(user: str, message: str, **more: Any) -> Post:
    """A post of a thread."""
    return Post.of({"id": "p", "user_id": user, "channel_id": "c", "message": message, **more})


def answer(message: str) -> Post:
    """One of the bot's answers."""
    return post("bot0", message, props={"sluice": "answer", "from_bot": "true"})


class Settings(unittest.TestCase):
    """The environment."""

    def test_defaults(self) -> None:
        found = settings.read(GOOD)
        self.assertEqual(found.mattermost_url, "https://chat.example.org")
        self.assertEqual((found.sluice_url, found.sluice_key), ("http://127.0.0.1:8080", "none"))
        self.assertEqual((found.model, found.edit_every, found.history_tokens), ("auto", 1.0, 4000))

    def test_all_problems_are_told_at_once(self) -> None:
        with self.assertRaises(SettingsError) as raised:
            settings.read({"BOT_EDIT_EVERY": "5", "BOT_ANSWERS": "many", "BOT_MODL": "x", "SLUICE_URL": "sluice:8080"})
        told = "\n".join(raised.exception.problems)
        for part in (
            "MATTERMOST_URL: is not set",
            "MATTERMOST_TOKEN: is not set",
            'BOT_EDIT_EVERY: "5" is not a time such as 500ms, 2s or 1m, from 0.2 s to 60 s',
            'BOT_ANSWERS: "many" is not a whole number from 1 to 64',
            "BOT_MODL: there is no such setting; BOT_MODEL?",
            'SLUICE_URL: "sluice:8080" is no address',
        ):
            self.assertIn(part, told)
        self.assertEqual(len(raised.exception.problems), 6, told)

    def test_values_outside_their_range_are_refused(self) -> None:
        for name, value in (("BOT_EDIT_EVERY", "100ms"), ("BOT_POST_CHARS", "20000"), ("BOT_SPEECH_FORMAT", "ogg")):
            self.assertTrue(problems(**{name: value}), name)
        self.assertEqual(problems(BOT_EDIT_EVERY="500ms", BOT_SPEECH_MODEL="", BOT_INSTRUCTIONS=""), [])

    def test_secrets_come_from_files_too(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "key")
            file.write_text("s3cret\n")
            self.assertEqual(settings.read({**GOOD, "SLUICE_KEY_FILE": str(file)}).sluice_key, "s3cret")
            self.assertIn("and MATTERMOST_TOKEN_FILE too", problems(MATTERMOST_TOKEN_FILE=str(file))[0])
            file.write_text("two words")
            self.assertIn("holds a blank", problems(SLUICE_KEY_FILE=str(file))[0])
        self.assertIn("No such file", problems(SLUICE_KEY_FILE="/nowhere/key")[0])

    def test_help_lists_every_setting(self) -> None:
        self.assertEqual(len(settings.NAMES), 17)


class Mentions(unittest.TestCase):
    """Who is spoken to."""

    def test_the_name_alone_counts(self) -> None:
        for said in ("@tayne hello", "hello @Tayne.", "hey (@tayne)", "@tayne, please", "a\n@tayne\nb"):
            self.assertTrue(ask.is_mentioned(said, "tayne"), said)
        for said in ("tayne", "@tayne2", "@tayne-x", "@tayne.b", "a@tayne", "@all", "`@tayne`", "```\n@tayne\n```"):
            self.assertFalse(ask.is_mentioned(said, "tayne"), said)

    def test_what_is_asked(self) -> None:
        self.assertEqual(ask.read("@tayne why? #speak", "tayne"), ask.Ask("why?", True))
        self.assertEqual(ask.read("@tayne why? #force_big", "tayne"), ask.Ask("why? #force_big", False))
        self.assertFalse(ask.read("@tayne what does `#speak` do", "tayne").speak)
        self.assertEqual(ask.read("@tayne #force_big", "tayne").tags, "#force_big")
        self.assertEqual(ask.read("@tayne why #force_big", "tayne").tags, "")


class History(unittest.TestCase):
    """A thread as messages."""

    def test_answers_lose_their_footer_and_notices_are_left_out(self) -> None:
        footer = words.footer(Route("small", "gate_closed", ()), "small-model", None)
        said = history.turns(
            [
                post("ann0", "@tayne one?"),
                answer("One." + footer),
                post("bot0", "No model.", props={"sluice": "notice"}),
                post("x0", "I am another bot"),
                post("ann0", "system", type="system_join_channel"),
                post("ann0", "@tayne two?"),
            ],
            ME,
            PEOPLE,
        )
        wanted = [("user", "one?"), ("assistant", "One."), ("user", "two?")]
        self.assertEqual([(it["role"], it["content"]) for it in said], wanted)

    def test_several_people_are_told_apart(self) -> None:
        said = history.turns([post("ann0", "I say A"), post("bob0", "@tayne and I B")], ME, PEOPLE)
        self.assertEqual(said, [{"role": "user", "content": "ann: I say A\n\nbob: and I B"}])

    def test_the_latest_that_fit_are_kept_and_a_user_begins(self) -> None:
        said = [{"role": ("user", "assistant")[n % 2], "content": f"{n} " + "x" * 298} for n in range(9)]
        each = history.tokens(said[0]["content"])
        for limit, first in ((each * 20, 0), (each * 4, 4), (each * 3, 6), (each, 8), (0, 8)):
            kept = history.conversation(said, "", limit)
            self.assertEqual([it["content"][0] for it in kept], [str(n) for n in range(first, 9)], limit)
        self.assertEqual(history.conversation(said, "be kind", 0)[0], {"role": "system", "content": "be kind"})


class Pages(unittest.TestCase):
    """Long answers."""

    def test_they_are_cut_at_lines_and_grow_at_their_end_alone(self) -> None:
        text = "".join(f"line {n}\n" for n in range(200))
        before: list[str] = []
        for end in range(0, len(text), 37):
            now = draft.pages(text[:end], 200)
            self.assertTrue(all(len(page) <= 200 + len(draft.FENCE) + 1 for page in now))
            self.assertEqual(now[: len(before) - 1], before[:-1])
            before = now
        self.assertEqual("\n".join(draft.pages(text, 200)), text)

    def test_a_block_of_code_is_closed_and_opened_again(self) -> None:
        found = draft.pages("```\n" + "code\n" * 60 + "```\n", 100)
        self.assertTrue(all(page.count("```") == 2 for page in found), found)

    def test_nobody_else_is_called(self) -> None:
        self.assertNotIn("@all", draft.harmless("hello @all and @channel"))
        self.assertEqual(draft.harmless("mail me@home"), "mail me@home")


class Words(unittest.TestCase):
    """Codes as sentences."""

    def test_footers(self) -> None:
        cases = (
            (Route("big", "matched", ()), "_answered by big (m)_"),
            (Route("small", "matched", ("gaming_pc",)), "_answered by small (m); gaming_pc is not open_"),
            (Route("small", "gate_closed", ("gaming_pc",)), "somebody is playing on the card that was meant_"),
        )
        for route, wanted in cases:
            made = words.footer(route, "m", None)
            self.assertTrue(made.endswith(wanted), made)
            self.assertEqual(words.without_footer("Text." + made), "Text.")
        self.assertIn("greatest length", words.footer(Route("big", "matched", ()), "", "length"))
        self.assertEqual(words.without_footer("Text." + words.cut_off("The bot was stopped.")), "Text.")
        self.assertEqual(words.without_footer("_answered by nobody_"), "_answered by nobody_")

    def test_every_reason_and_code_of_sluice_has_words(self) -> None:
        sources = Path(__file__).resolve().parents[3] / "src"
        reasons = (sources / "policy/decision.rs").read_text()
        for reason in words.REASONS:
            self.assertIn(f'"{reason}"', reasons)
        code = "".join(path.read_text() for path in sources.rglob("*.rs"))
        for name in (*words.ERRORS, "context_length_exceeded"):
            self.assertIn(f'"{name}"', code)

    def test_sentences(self) -> None:
        for error, wanted in (
            (RefusedError(503, "no_backend_available", "…", 5), "No model can answer at the moment; try again in 5 s."),
            (RefusedError(429, "rate_limited", "…"), "That was too much in too short a time; try again later."),
            (
                RefusedError(400, "context_length_exceeded", "…maximum context length is 16384 tokens…"),
                "That is too long for 16384 tokens: ask shorter, or in a new thread.",
            ),
            (RefusedError(418, "", "I am\na pot."), "That was refused (418): I am a pot."),
            (BrokenError("gate_closed"), "Somebody began to play, and the card was needed for that."),
            (BrokenError(""), "The answer stopped before its end; try again later."),
            (UnreachableError("refused"), "sluice cannot be reached; try again later."),
        ):
            assert isinstance(error, RefusedError | BrokenError | UnreachableError)
            self.assertEqual(words.sentence(error), wanted)

    def test_what_is_said_aloud(self) -> None:
        text = "# Title\n\n* **bold** and `code`\n\n```\nx = 1\n```\n\nSee [the page](https://example.org).\n"
        self.assertEqual(spoken.spoken(text), "Title\nbold and code\nSee the page.")
        self.assertEqual(spoken.spoken("```\nx = 1\n```"), "")
        long = spoken.spoken("A sentence. " * 1000)
        self.assertTrue(len(long) <= spoken.LONGEST_CHARS and long.endswith("."), long[-20:])


class Streams(unittest.TestCase):
    """Server-sent events."""

    def test_pieces_of_any_size_make_the_same_lines(self) -> None:
        raw = 'data: {"a": "é"}\r\n\r\n: comment\nevent: x\ndata:two\n\ndata: [DONE]\n\n'.encode()
        for size in (1, 2, 7, 1000):
            lines = Lines()
            found = [line for at in range(0, len(raw), size) for line in lines.feed(raw[at : at + size])]
            self.assertEqual(found, ['{"a": "é"}', "two", "[DONE]"])

    def test_a_line_without_an_end_is_given_up(self) -> None:
        lines = Lines()
        with self.assertRaises(ValueError):
            for _ in range(20):
                list(lines.feed(b"x" * 100_000))


if __name__ == "__main__":
    unittest.main()
