"""Which reply subjects are seen, and what is subscribed to for others."""

from __future__ import annotations

import pytest

from natscli.watch.inboxes import Inboxes, pattern_of
from natscli.watch.question import requester_of

NUID = "SaLfsByWHDnaJDCkMPrePq"


@pytest.mark.parametrize(
    ("reply", "pattern"),
    [
        (f"_INBOX.{NUID}.x7", "_INBOX.>"),
        (f"_INBOX_alice.{NUID}", "_INBOX_alice.>"),
        (f"corp.inbox.{NUID}.{NUID}", "corp.inbox.>"),
        (f"{NUID}.x7", f"{NUID}.>"),
        ("orders.replies", "orders.replies"),
        ("answers", "answers"),
        ("orders.customer-notifications.7", "orders.customer-notifications.7"),
        ("corp.2c1d7a90a3c54f6c8be9d3a1b6b0c8d7.1", "corp.>"),
        (NUID, NUID),
    ],
)
def test_a_pattern_leaves_out_what_is_random(reply: str, pattern: str) -> None:
    assert pattern_of(reply) == pattern


def test_what_the_subscriptions_cover_is_seen() -> None:
    inboxes = Inboxes("_INBOX.>", ("a.*.reply",))
    assert inboxes.sees(b"_INBOX.1.2")
    assert inboxes.sees(b"a.b.reply")
    assert not inboxes.wanted
    assert Inboxes("_INBOX.>", (">",)).sees(b"anything")


def test_other_inboxes_are_wanted_once_and_seen_when_they_are_added() -> None:
    inboxes = Inboxes("_INBOX.>")
    reply = f"_INBOX_alice.{NUID}.1".encode()
    assert [inboxes.sees(reply), inboxes.sees(reply)] == [False, False]
    assert inboxes.wanted == ["_INBOX_alice.>"]
    assert inboxes.unseen == reply
    inboxes.add("_INBOX_alice.>")
    assert inboxes.sees(reply)


def test_no_more_than_a_few_are_ever_wanted() -> None:
    inboxes = Inboxes("_INBOX.>")
    assert not any(inboxes.sees(b"reply%d" % number) for number in range(1000))
    assert len(inboxes.wanted) == 16


def test_two_that_begin_alike_are_enough_to_see_all() -> None:
    inboxes = Inboxes("_INBOX.>")
    assert not any(inboxes.sees(reply) for reply in (b"app.x7.1", b"app.x7.2", b"other.1"))
    assert inboxes.wanted == ["app.x7.1", "app.x7.>", "other.1"]


def test_inboxes_of_importing_accounts_are_known() -> None:
    inboxes = Inboxes("_INBOX.>", ("calc.>",))
    assert inboxes.sees(b"_R_.mAqFBU.qKuGJ2")
    assert inboxes.has(b"_R_.mAqFBU.qKuGJ2")
    inboxes.remove("_R_.>")
    assert not inboxes.has(b"_R_.mAqFBU.qKuGJ2")
    assert not inboxes.sees(b"_R_.mAqFBU.qKuGJ2")


@pytest.mark.parametrize("reply", [b"orders.new", b"orders.SaLfsByWHDnaJDCkMPrePq.x"])
def test_what_is_watched_is_never_taken_for_an_inbox(reply: bytes) -> None:
    inboxes = Inboxes("_INBOX.>", ("orders.>",))
    inboxes.sees(reply)
    for pattern in (*inboxes.wanted, "orders.>", "orders.new"):
        inboxes.add(pattern)
    assert not inboxes.has(b"orders.new")
    assert not inboxes.has(reply)


@pytest.mark.parametrize("reply", [b"a.*", b"\xff.x", b"a..b", b">", b"x\x1b.y", b"a." + b"x" * 300])
def test_a_subject_that_cannot_be_subscribed_to_is_not_wanted(reply: bytes) -> None:
    inboxes = Inboxes("_INBOX.>")
    assert not inboxes.sees(reply)
    assert all("\x1b" not in wanted and "*" not in wanted for wanted in inboxes.wanted)
    assert len(inboxes.wanted) == (1 if reply == b"\xff.x" else 0)


@pytest.mark.parametrize(
    ("reply", "requester"),
    [
        (b"_INBOX.cGlP4TcNOjUYjvCQHcSCr2.1", b"_INBOX.cGlP4TcNOjUYjvCQHcSCr2"),
        (b"_INBOX.cGlP4TcNOjUYjvCQHcSCr2", b"_INBOX.cGlP4TcNOjUYjvCQHcSCr2"),
        (b"my.inbox.7", b"my.inbox.7"),
        (b"_R_.UjvCQH.cGlP4T", b""),
        (b"x", b"x"),
    ],
)
def test_inboxes_of_one_requester_are_asked_about_once(reply: bytes, requester: bytes) -> None:
    assert requester_of(reply) == requester
