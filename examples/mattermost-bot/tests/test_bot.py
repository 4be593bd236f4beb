"""The bot between a simulated Mattermost and the real sluice: what people see in the thread."""

import asyncio
import itertools
import time
import unittest
import unittest.mock
from typing import Any

from .chat_server import USERS
from .house import EDIT_EVERY_SECONDS, House, Peer

# A clock may run a little early.
ABOUT = 0.9


def said(peer: Peer, number: int = -1) -> list[tuple[str, str]]:
    """The messages of a request as a peer got them."""
    body, _ = peer.asked[number]
    return [(it["role"], it["content"]) for it in body["messages"]]


class Answers(unittest.IsolatedAsyncioTestCase):
    """Questions and their answers."""

    async def test_a_mention_is_answered_in_its_thread(self) -> None:
        async with House() as house:
            post = await house.chat.say("@tayne what is a sluice?")
            text = await house.chat.answer(post)
            self.assertEqual(text, "Hello there.\n\n_answered by small (small-model)_")
            self.assertEqual(house.chat.answers(post["id"])[0]["channel_id"], "town")
            body, head = house.small.asked[0]
            self.assertEqual(said(house.small), [("user", "what is a sluice?")])
            self.assertEqual((body["stream"], body["max_tokens"]), (True, 1024))
            self.assertEqual(head.get("x-session-id"), post["id"])
            self.assertEqual(house.chat.typed[0], {"channel_id": "town", "parent_id": post["id"]})

    async def test_it_grows_by_edits_at_a_bounded_rate(self) -> None:
        async with House() as house:
            house.small.words, house.small.pause = [f"word{n} " for n in range(60)], 0.03
            post = await house.chat.say("@tayne go on")
            await house.chat.answer(post)
            edits = house.chat.edits
            self.assertGreaterEqual(len(edits), 3)
            self.assertEqual(len(house.chat.answers(post["id"])), 1)
            gaps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(edits)]
            self.assertGreaterEqual(min(gaps), EDIT_EVERY_SECONDS * ABOUT)
            for (_, _, earlier), (_, _, later) in itertools.pairwise(edits):
                self.assertTrue(later.startswith(earlier.removesuffix(" …")), later)

    async def test_a_long_answer_takes_several_posts(self) -> None:
        async with House(BOT_POST_CHARS="1000") as house:
            house.small.words = [f"this is line {n}\n" for n in range(100)]
            post = await house.chat.say("@tayne go on")
            await house.chat.answer(post, number=2)
            texts = [it["message"] for it in house.chat.answers(post["id"])]
            self.assertTrue(all(len(text) <= 1000 for text in texts))
            shown = "\n".join(texts).partition("\n\n_answered by")[0]
            self.assertEqual(shown.split(), "".join(house.small.words).split())

    async def test_a_post_is_written_once_however_slow_mattermost_is(self) -> None:
        """The model is done while the first call is under way: a call that is cut would lose the post's id."""
        async with House() as house:
            house.chat.slow_writes, house.small.pause = 0.3, 0.02
            post = await house.chat.say("@tayne hello")
            await house.chat.answer(post)
            self.assertEqual(len(house.chat.answers(post["id"])), 1)

    async def test_a_direct_message_needs_no_name(self) -> None:
        async with House() as house:
            post = await house.chat.say("hello", channel="direct")
            self.assertIn("Hello there.", await house.chat.answer(post))

    async def test_who_is_no_person_or_does_not_ask_gets_no_answer(self) -> None:
        async with House() as house:
            for more in (
                {"user": "other0"},
                {"user": "bot0"},
                {"props": {"from_webhook": "true"}},
                {"props": {"from_bot": "true"}},
                {"type": "system_join_channel"},
            ):
                await house.chat.say("@tayne hello", **more)
                await house.chat.say("hello", channel="direct", **more)
            for message in ("hello", "@all hello", "@taynes hello", "`@tayne`"):
                await house.chat.say(message)
            last = await house.chat.say("@tayne last")
            await house.chat.answer(last)
            self.assertEqual([said(house.small, n) for n in range(len(house.small.asked))], [[("user", "last")]])
            written = [it["root_id"] for it in house.chat.posts.values() if it["props"].get("sluice")]
            self.assertEqual(written, [last["id"]])

    async def test_it_never_answers_itself_even_as_a_persons_account(self) -> None:
        with unittest.mock.patch.dict(USERS["bot0"], is_bot=False):
            async with House() as house:
                for number, message in enumerate(("one", "two"), 1):
                    post = await house.chat.say(message, channel="direct")
                    await house.chat.answer(post)
                    self.assertEqual(len(house.small.asked), number)

    async def test_a_thread_is_one_conversation(self) -> None:
        async with House(BOT_INSTRUCTIONS="Be kind.") as house:
            first = await house.chat.say("@tayne one?")
            await house.chat.answer(first)
            second = await house.chat.say("@tayne two?", root=first["id"])
            await house.chat.answer(second, number=1)
            wanted = [("system", "Be kind."), ("user", "one?"), ("assistant", "Hello there."), ("user", "two?")]
            self.assertEqual(said(house.small), wanted)
            self.assertEqual({head.get("x-session-id") for _, head in house.small.asked}, {first["id"]})

    async def test_a_long_thread_is_cut_at_its_beginning(self) -> None:
        async with House(BOT_HISTORY_TOKENS="200") as house:
            first = await house.chat.say("@tayne " + "x" * 900)
            await house.chat.answer(first)
            second = await house.chat.say("@tayne two?", root=first["id"])
            await house.chat.answer(second, number=1)
            self.assertEqual(said(house.small), [("user", "two?")])

    async def test_questions_of_one_thread_wait_for_each_other(self) -> None:
        async with House() as house:
            house.small.go_on.clear()
            first = await house.chat.say("@tayne one?")
            second = await house.chat.say("@tayne two?", root=first["id"])
            other = await house.chat.say("@tayne other?")
            await house.chat.until(lambda: house.chat.answers(other["id"]), "another thread does not wait")
            self.assertEqual(len(house.small.asked), 2)
            house.small.go_on.set()
            await house.chat.answer(second, number=1)
            self.assertEqual(said(house.small)[1], ("assistant", "Hello there."))

    async def test_a_question_without_words_is_told_what_to_do(self) -> None:
        async with House() as house:
            post = await house.chat.say("@tayne")
            self.assertIn("Write your question after my name", await house.chat.answer(post, ends="."))
            self.assertFalse(house.small.asked)

    async def test_an_answer_that_is_removed_stops_the_model(self) -> None:
        async with House() as house:
            house.small.words, house.small.pause = ["word "] * 1000, 0.02
            post = await house.chat.say("@tayne go on")
            found = await house.chat.until(lambda: house.chat.answers(post["id"]), "it begins")
            await house.chat.delete(found[0]["id"])
            await asyncio.wait_for(house.small.left.wait(), 5)
            self.assertEqual(len(house.chat.answers(post["id"])), 1)


class Routes(unittest.IsolatedAsyncioTestCase):
    """Which model answers, and what is said of it."""

    async def test_force_big_is_taken_while_somebody_plays(self) -> None:
        async with House() as house:
            await house.play(True)
            forced = await house.chat.say("@tayne hello #force_big")
            self.assertIn("answered by big (big-model); gaming_pc is not open", await house.chat.answer(forced))
            self.assertEqual(said(house.big), [("user", "hello ")], "sluice removes the tag")
            plain = await house.chat.say("@tayne refactor this")
            text = await house.chat.answer(plain)
            self.assertIn("answered by small (small-model): somebody is playing", text)
            self.assertEqual(len(house.big.asked), 1)

    async def test_the_tag_alone_asks_once_more(self) -> None:
        async with House() as house:
            post = await house.chat.say("@tayne what is a sluice?")
            await house.chat.answer(post)
            again = await house.chat.say("@tayne #force_big", root=post["id"])
            self.assertIn("answered by big", await house.chat.answer(again, number=1))
            self.assertEqual(said(house.big), [("user", "what is a sluice? ")])

    async def test_why_it_fell_soft_is_said(self) -> None:
        async with House() as house:
            house.big.status = 503
            post = await house.chat.say("@tayne refactor this")
            text = await house.chat.answer(post)
            self.assertIn("answered by small (small-model): the model that was meant failed_", text)

    async def test_an_answer_at_its_limit_says_so(self) -> None:
        async with House() as house:
            house.small.finish = "length"
            post = await house.chat.say("@tayne go on")
            self.assertIn("it reached its greatest length_", await house.chat.answer(post))


class Speech(unittest.IsolatedAsyncioTestCase):
    """`#speak`."""

    async def spoken(self, house: House, post: dict[str, Any], number: int) -> Any:
        """The post with the sound."""
        root = post["root_id"] or post["id"]
        await house.chat.until(lambda: len(house.chat.answers(root)) > number, "the sound")
        return house.chat.answers(root)[number]

    async def test_the_answer_is_attached(self) -> None:
        async with House() as house:
            house.small.words = ["It is **open**."]
            post = await house.chat.say("@tayne and the gate? #speak")
            sound = await self.spoken(house, post, 1)
            self.assertEqual(house.chat.files, {"file0": ("answer.mp3", b"ID3 sound")})
            self.assertEqual((sound["file_ids"], sound["message"]), (["file0"], ""))
            body, head = house.tts.asked[0]
            wanted = {"model": "tts-model", "voice": "default", "input": "It is open.", "response_format": "mp3"}
            self.assertEqual(body, wanted)
            self.assertEqual(head.get("x-session-id"), post["id"])
            self.assertEqual(said(house.small), [("user", "and the gate?")])

    async def test_alone_it_speaks_the_last_answer(self) -> None:
        async with House() as house:
            post = await house.chat.say("@tayne hello")
            await house.chat.answer(post)
            again = await house.chat.say("@tayne #speak", root=post["id"])
            await self.spoken(house, again, 1)
            self.assertEqual((len(house.small.asked), house.tts.asked[0][0]["input"]), (1, "Hello there."))

    async def test_a_refusal_is_told_and_the_answer_stays(self) -> None:
        async with House() as house:
            house.tts.status, house.tts.error = 400, {"message": "there is no voice\nof that name", "code": "no_voice"}
            post = await house.chat.say("@tayne hello #speak")
            text = await house.chat.answer(post, number=1, ends=".")
            self.assertEqual(text, "No speech: That was refused (no_voice): there is no voice of that name.")
            self.assertIn("answered by small", house.chat.answers(post["id"])[0]["message"])


class Failures(unittest.IsolatedAsyncioTestCase):
    """What goes wrong is told in one sentence."""

    async def test_no_model_can_answer(self) -> None:
        async with House() as house:
            await house.small.stop()
            await house.big.stop()
            post = await house.chat.say("@tayne hello")
            text = await house.chat.answer(post, ends=".")
            self.assertRegex(
                text, r"^(The model failed|No model can answer at the moment); try again (later|in \d+ s)\.$"
            )
            second = await house.chat.say("@tayne hello", root=post["id"])
            text = await house.chat.answer(second, number=1, ends=".")
            self.assertRegex(text, r"^No model can answer at the moment; try again in \d+ s\.$")

    async def test_a_model_says_no(self) -> None:
        async with House() as house:
            house.small.status = 422
            post = await house.chat.say("@tayne hello")
            text = await house.chat.answer(post, ends=".")
            self.assertEqual(text, "That was refused (odd): made to fail.")

    async def test_it_is_too_long_for_every_model(self) -> None:
        async with House() as house:
            post = await house.chat.say("@tayne " + "word " * 60_000)
            text = await house.chat.answer(post, ends=".")
            self.assertEqual(text, "That is too long for 16384 tokens: ask shorter, or in a new thread.")

    async def test_sluice_is_gone(self) -> None:
        async with House(SLUICE_URL="http://127.0.0.1:9") as house:
            post = await house.chat.say("@tayne hello")
            text = await house.chat.answer(post, ends=".")
            self.assertEqual(text, "sluice cannot be reached; try again later.")

    async def test_an_answer_that_breaks_keeps_what_it_had(self) -> None:
        async with House() as house:
            house.small.breaks = True
            post = await house.chat.say("@tayne hello")
            text = await house.chat.answer(post)
            self.assertEqual(text, "Hello there.\n\n_cut off here: the model failed; try again later_")

    async def test_a_gate_that_closes_cuts_the_answer(self) -> None:
        async with House() as house:
            house.big.go_on.clear()
            post = await house.chat.say("@tayne refactor this")
            await house.chat.until(lambda: house.chat.answers(post["id"]), "it begins")
            await house.play(True)
            text = await house.chat.answer(post)
            wanted = "Hello\n\n_cut off here: somebody began to play, and the card was needed for that_"
            self.assertEqual(text, wanted)

    async def test_nothing_is_said_to_be_nothing(self) -> None:
        async with House() as house:
            house.small.words = []
            post = await house.chat.say("@tayne hello")
            self.assertEqual(await house.chat.answer(post, ends="."), "The model answered nothing.")

    async def test_mattermost_asks_to_wait(self) -> None:
        async with House() as house:
            house.chat.failing = [
                ("/thread", 429, {"X-Ratelimit-Reset": "1"}),
                ("/patch", 500, {}),
                ("/patch", 503, {}),
            ]
            house.small.pause = 0.25
            began = time.monotonic()
            post = await house.chat.say("@tayne hello")
            self.assertIn("Hello there.", await house.chat.answer(post))
            self.assertGreaterEqual(time.monotonic() - began, 1)
            self.assertFalse(house.chat.failing)

    async def test_a_failure_of_one_question_is_none_of_the_others(self) -> None:
        async with House() as house:
            house.chat.failing = [("/thread", 403, {})]
            await house.chat.say("@tayne hello")
            await house.chat.until(lambda: not house.chat.failing, "the first has failed")
            second = await house.chat.say("@tayne hello")
            self.assertIn("Hello there.", await house.chat.answer(second))


class Connections(unittest.IsolatedAsyncioTestCase):
    """Websockets that end."""

    async def test_what_was_asked_meanwhile_is_answered_once(self) -> None:
        async with House() as house:
            before = await house.chat.say("@tayne before")
            await house.chat.answer(before)
            house.chat.refuse_sockets = True
            await house.chat.drop()
            town = await house.chat.say("@tayne town")
            direct = await house.chat.say("direct", channel="direct")
            house.chat.refuse_sockets = False
            await house.chat.answer(town)
            await house.chat.answer(direct)
            after = await house.chat.say("@tayne after")
            await house.chat.answer(after)
            asked = sorted(said(house.small, n)[-1][1] for n in range(len(house.small.asked)))
            self.assertEqual(asked, ["after", "before", "direct", "town"])
            self.assertEqual(house.chat.connections, 2)

    async def test_an_answer_goes_on_while_the_websocket_is_gone(self) -> None:
        async with House() as house:
            house.small.go_on.clear()
            post = await house.chat.say("@tayne hello")
            await house.chat.until(lambda: house.chat.answers(post["id"]), "it begins")
            await house.chat.drop()
            await house.chat.until(lambda: house.chat.connections == 2, "a new websocket")
            house.small.go_on.set()
            self.assertIn("Hello there.", await house.chat.answer(post))
            self.assertEqual(len(house.small.asked), 1)

    async def test_a_lost_event_is_noticed(self) -> None:
        async with House() as house:
            missed = await house.chat.say("@tayne first")
            await house.chat.answer(missed)
            await house.chat.skip()
            post = await house.chat.say("@tayne second")
            self.assertIn("Hello there.", await house.chat.answer(post))
            self.assertEqual((house.chat.connections, len(house.small.asked)), (2, 2))

    async def test_being_stopped_is_told_under_the_answer(self) -> None:
        async with House(bot=False) as house:
            async with house.bot():
                house.small.go_on.clear()
                post = await house.chat.say("@tayne hello")
                await house.chat.until(lambda: house.chat.answers(post["id"]), "it begins")
            self.assertEqual(await house.chat.answer(post), "Hello\n\n_cut off here: the bot was stopped_")
            await asyncio.wait_for(house.small.left.wait(), 5)


if __name__ == "__main__":
    unittest.main()
