"""Replies that are kept until their request is done are bounded, and nothing stays."""

from __future__ import annotations

from natscli.message.message import Message
from natscli.reply.responders.parts.several import Several
from natscli.reply.responders.responder import Batch


def batch(*numbers: int) -> Batch:
    return Batch([(b"s", b"r%d" % number, None, b"") for number in numbers], numbers[0], 0)


def reply(payload: bytes) -> Message:
    return b"r", b"", None, payload


def test_replies_are_taken_once_by_the_number_of_their_request() -> None:
    several = Several()
    several.add(batch(7), [reply(b"a")])
    several.add(batch(8), [reply(b"b")])
    several.add(batch(7), [reply(b"c")])
    taken = several.take(batch(6, 7, 8))
    assert {number: [part.reply[3] for part in parts] for number, parts in taken.items()} == {
        7: [b"a", b"c"],
        8: [b"b"],
    }
    assert several.take(batch(6, 7, 8)) == {}


def test_what_is_too_much_is_lost_and_makes_room() -> None:
    several = Several(most=2000)
    several.add(batch(1), [reply(b"x" * 800)])
    several.add(batch(2), [reply(b"small")])
    several.add(batch(1), [reply(b"x" * 1500)])
    several.add(batch(1), [reply(b"more of it")])
    several.add(batch(3), [reply(b"x" * 800)])
    assert several.take_lost(batch(1))
    assert not several.take_lost(batch(1))  # it is done
    assert not several.take_lost(batch(2))
    assert set(several.take(batch(1, 2, 3))) == {2, 3}
