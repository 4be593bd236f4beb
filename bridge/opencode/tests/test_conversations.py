"""Pure: which session a conversation has."""

from sluice_bridge.chat.conversations import Conversations, Session
from sluice_bridge.chat.request import Said

HELLO = (Said("user", "Hello"), Said("assistant", "Good evening."))
OTHER = (Said("user", "Hello"), Said("assistant", "Good morning."))
ONE, TWO = Session("one", frozenset({"a"})), Session("two")


def test_a_session_is_found_by_all_that_was_said_and_is_then_the_callers() -> None:
    kept = Conversations(8, 60)
    assert kept.keep("", HELLO, ONE, 0) == []
    assert kept.take("", OTHER) is None
    assert kept.take("", HELLO[:1]) is None
    assert kept.take("name", HELLO) is None
    assert kept.take("", HELLO) == ONE
    assert kept.take("", HELLO) is None


def test_white_space_around_a_turn_does_not_count_and_roles_do() -> None:
    kept = Conversations(8, 60)
    kept.keep("", HELLO, ONE, 0)
    swapped = (Said("assistant", "Hello"), Said("user", "Good evening."))
    assert kept.take("", swapped) is None
    assert kept.take("", (Said("user", " Hello\n"), Said("assistant", "Good evening. "))) == ONE


def test_a_conversation_that_begins_has_no_session() -> None:
    kept = Conversations(8, 60)
    kept.keep("", (), ONE, 0)
    assert kept.take("", ()) is None


def test_a_name_has_one_session() -> None:
    kept = Conversations(8, 60)
    kept.keep("name", HELLO, ONE, 0)
    assert kept.keep("name", OTHER, TWO, 0) == ["one"]
    assert kept.take("name", OTHER) == TWO
    kept.keep("", HELLO, ONE, 0)
    assert kept.keep("", OTHER, TWO, 0) == [], "without a name they are not one another's"
    assert kept.keep("", OTHER, Session("three"), 0) == ["two"], "said alike, one is enough"


def test_the_oldest_goes_first_and_what_is_late_goes() -> None:
    kept = Conversations(2, 60)
    kept.keep("", HELLO, ONE, 0)
    kept.keep("", OTHER, TWO, 30)
    assert kept.keep("", HELLO[:1], Session("three"), 40) == ["one"]
    assert kept.expired(89) == []
    assert kept.expired(90) == ["two"]
    assert kept.clear() == ["three"]
    assert len(kept) == 0
    assert Conversations(0, 60).keep("", HELLO, ONE, 0) == ["one"]
