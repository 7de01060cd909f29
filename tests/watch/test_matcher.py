"""Which reply belongs to which request, in any order, and what is bounded."""

from __future__ import annotations

import random
from statistics import median
from time import process_time

import pytest

from natscli.message import headers
from natscli.message.exchange import Exchange, Outcome
from natscli.message.message import Message
from natscli.watch.inboxes import Inboxes
from natscli.watch.matcher import WHOLE, Matcher, MatchLimits
from natscli.watch.pulls import wanted

MS = 1_000_000
LIMITS = MatchLimits(timeout=5000 * MS, gap=300 * MS, hold=1000 * MS)


def inbox(name: str) -> bytes:
    return (name if not name or name.startswith(("_INBOX.", "$JS.")) else f"_INBOX.{name}").encode()


def request(subject: str, reply: str, payload: bytes = b"?") -> Message:
    return subject.encode(), inbox(reply), None, payload


def reply(name: str, payload: bytes = b"!", header: bytes | None = None) -> Message:
    return inbox(name), b"", header, payload


def inboxes() -> Inboxes:
    return Inboxes("_INBOX.>")


def see(matcher: Matcher, batch: list[Message], arrived: int, came: float = 0) -> None:
    matcher.messages(batch, arrived, came)


def outcomes(exchanges: list[Exchange]) -> list[tuple[str, int]]:
    return [(exchange.outcome.value, len(exchange.answers)) for exchange in exchanges]


def test_a_reply_is_matched_to_its_request_with_the_time_between_them() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "_INBOX.1"), request("b", "_INBOX.2")], 10 * MS, 1.5)
    see(matcher, [reply("_INBOX.2", b"two")], 12 * MS)
    see(matcher, [reply("_INBOX.1", b"one")], 15 * MS)
    assert matcher.take(20 * MS) == []
    first, second = matcher.take(400 * MS)
    assert (first.number, first.subject, first.rtt_ns, first.answers[0].payload) == (2, b"b", 2 * MS, b"two")
    assert (second.number, second.subject, second.rtt_ns) == (1, b"a", 5 * MS)
    assert first.came == 1.5
    assert outcomes([first, second]) == [("answered", 1)] * 2


def test_several_replies_are_one_exchange_until_the_gap_is_over() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "i"), request("b", "j")], 0, 0)
    for number in range(3):
        see(matcher, [reply("i")], number * 200 * MS)
    see(matcher, [reply("j")], 410 * MS)
    assert matcher.take(690 * MS) == []
    assert sorted(outcomes(matcher.take(720 * MS))) == [("answered", 1), ("answered", 3)]
    see(matcher, [reply("i")], 800 * MS)
    assert matcher.take(9000 * MS) == []
    assert matcher.counts.late == 1
    assert matcher.counts.strays == 0


def test_a_request_without_a_reply_is_unanswered_after_the_timeout() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "i")], 0, 0)
    assert matcher.take(4999 * MS) == []
    [exchange] = matcher.take(5000 * MS)
    assert (exchange.outcome, exchange.rtt_ns) == (Outcome.UNANSWERED, None)


def test_a_service_error_makes_the_exchange_an_error() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "i")], 0, 0)
    see(matcher, [reply("i", b"", headers.service_error("bad input", 400))], MS)
    [exchange] = matcher.take(1000 * MS)
    assert (exchange.outcome, exchange.error) == (Outcome.ERROR, ("service", "400", "bad input"))


def test_a_503_status_is_no_responders() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "i")], 0, 0)
    see(matcher, [reply("i", b"", b"NATS/1.0 503\r\n\r\n")], MS)
    assert outcomes(matcher.take(MS)) == [("no_responders", 0)]


def test_requests_without_responders_are_given_once_and_end_with_the_timeout() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "i"), request("a", "j"), request("a", "k"), request("a", "l")], 0, 0)
    see(matcher, [reply("j")], MS)
    unchecked = matcher.unchecked(250 * MS)
    assert [exchange.message[1] for exchange in unchecked] == [inbox("i"), inbox("k"), inbox("l")]
    assert matcher.unchecked(250 * MS) == []
    see(matcher, [reply("k")], 251 * MS)
    assert [exchange.message[1] for exchange in matcher.nobody_subscribes(unchecked)] == [
        inbox("i"),
        inbox("l"),
    ]
    see(matcher, [reply("l")], 252 * MS)  # a reply that comes wins
    assert sorted(outcomes(matcher.take(4999 * MS))) == [("answered", 1)] * 3
    assert outcomes(matcher.take(5000 * MS)) == [("no_responders", 0)]


def test_what_nobody_subscribes_to_is_known_at_an_interruption_too() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "i"), request("b", "j")], 0, 0)
    matcher.nobody_subscribes(matcher.unchecked(250 * MS)[:1])
    matcher.interrupt()
    assert outcomes(matcher.take(MS)) == [("no_responders", 0)]
    assert matcher.counts.interrupted == 1


@pytest.mark.parametrize("trap", ["t.ok", "t.SaLfsByWHDnaJDCkMPrePq.x", "t.x"])
def test_nobody_can_hide_requests_by_naming_their_subject_for_replies(trap: str) -> None:
    names = Inboxes("_INBOX.>", ("t.>",))
    matcher = Matcher(LIMITS, names)
    see(matcher, [(b"t.trap", trap.encode(), None, b"")], 0, 0)
    for pattern in names.wanted:
        names.add(pattern)
    for number in range(500):
        see(matcher, [request("t.ok", f"i{number}"), request("t.x", f"x{number}")], MS, 0)
        see(matcher, [reply(f"i{number}"), reply(f"x{number}")], 2 * MS)
    shown = matcher.take(1000 * MS)
    assert outcomes([exchange for exchange in shown if exchange.number > 1]) == [("answered", 1)] * 1000


def test_no_number_is_given_twice_when_exchanges_are_crowded_out() -> None:
    matcher = Matcher(MatchLimits(size=10_000), inboxes())
    see(matcher, [request("a", "i"), request("a", "j")], 0, 0)
    see(matcher, [reply("i", b"x" * 20_000)], MS)
    see(matcher, [request("a", "k"), reply("j"), reply("k")], 2 * MS)
    assert matcher.counts.crowded == 1
    assert [exchange.number for exchange in matcher.take(1000 * MS)] == [2, 3]
    assert matcher.counts.followed == 2


@pytest.mark.parametrize(
    ("header", "payload", "error"),
    [
        (b"NATS/1.0 404 No Messages\r\n\r\n", b"", ("status", "404", "No Messages")),
        (b"NATS/1.0 503\r\n\r\n", b"data", ("status", "503", "")),
        (
            None,
            b'{"error":{"code":400,"description":"wrong last sequence: 3"},"stream":"S","seq":0}',
            ("stream", "400", "wrong last sequence: 3"),
        ),
    ],
)
def test_a_status_from_400_and_an_error_of_jetstream_are_errors(
    header: bytes | None, payload: bytes, error: tuple[str, str, str]
) -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "i")], 0, 0)
    see(matcher, [reply("i", payload, header)], MS)
    [exchange] = matcher.take(1000 * MS)
    assert (exchange.outcome, exchange.error) == (Outcome.ERROR, error)


def test_a_reply_that_is_seen_before_its_request_is_matched() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [reply("i", b"early"), reply("other")], MS)
    see(matcher, [request("a", "i")], 2 * MS, 0)
    [exchange] = matcher.take(500 * MS)
    assert exchange.answers[0].payload == b"early"
    assert exchange.rtt_ns == 0
    assert matcher.take(2000 * MS) == []
    assert matcher.counts.strays == 1


def test_held_replies_are_bounded_in_number_size_and_time() -> None:
    matcher = Matcher(MatchLimits(held=10, held_size=100_000), inboxes())
    see(matcher, [reply(f"i{number}") for number in range(30)], 0)
    assert matcher.counts.strays == 20
    see(matcher, [reply(f"large{number}", b"x" * 60_000) for number in range(3)], 0)
    assert matcher.counts.strays == 32
    matcher.take(10_000 * MS)
    assert matcher.counts.strays == 33


def test_messages_without_a_reply_subject_and_jetstream_deliveries_are_no_requests() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", ""), request("a", "$JS.ACK.s.c.1.1.1.1.0")], 0, 0)
    assert matcher.take(9000 * MS) == []
    assert matcher.counts.published == 2


def delivered(consumer: str, payload: bytes, before: str = "") -> Message:
    return b"orders.new", f"$JS.ACK.{before}{consumer}.1.7.3.1700000000000000000.0".encode(), None, payload


def test_a_message_that_is_pulled_is_a_reply_to_the_oldest_pull_of_its_consumer() -> None:
    matcher = Matcher(LIMITS, inboxes())
    pull = "$JS.API.CONSUMER.MSG.NEXT.ORDERS."
    see(
        matcher,
        [
            request(pull + "a", "1", b""),
            request(f"PREFIX{pull[3:]}a", "2", b'{"batch": 2, "expires": 1000000000}'),
            request(pull + "b", "3", b"1"),
        ],
        0,
    )
    see(matcher, [delivered("ORDERS.b", b"b1", "hub.ACCHASH.")], 10 * MS)
    see(matcher, [delivered("ORDERS.a", b"a%d" % n) for n in range(4)], 20 * MS)
    see(matcher, [delivered("ORDERS.c", b"c")], 20 * MS)
    exchanges = sorted(matcher.take(900 * MS), key=lambda exchange: exchange.number)
    assert [[answer.payload for answer in e.answers] for e in exchanges] == [[b"a0"], [b"a1", b"a2"], [b"b1"]]
    assert [exchange.rtt_ns for exchange in exchanges] == [20 * MS, 20 * MS, 10 * MS]
    assert matcher.counts.published == 2
    see(matcher, [delivered("ORDERS.a", b"pushed")], 910 * MS)  # nobody waits any more
    assert matcher.counts.published == 3
    see(matcher, [request("$JS.ACK.ORDERS.a.1.7.3.1700000000000000000.0", "4", b"+NXT")], 920 * MS)
    see(matcher, [delivered("ORDERS.a", b"next")], 930 * MS)
    assert [exchange.answers[0].payload for exchange in matcher.take(1800 * MS)] == [b"next"]


def test_a_stored_message_that_says_that_it_is_an_error_is_a_message() -> None:
    matcher = Matcher(LIMITS, inboxes())
    subject, reply_to, _, payload = delivered("ORDERS.a", b"dead letter")
    stored = subject, reply_to, headers.service_error("stored", 500), payload
    see(matcher, [request("$JS.API.CONSUMER.MSG.NEXT.ORDERS.a", "1"), stored], 0)
    see(matcher, [request("$JS.API.DIRECT.GET.ORDERS", "2"), reply("2", b"", stored[2])], 0)
    assert outcomes(matcher.take(900 * MS)) == [("answered", 1)] * 2


def test_a_heartbeat_is_no_reply_to_a_pull_and_does_not_end_it() -> None:
    matcher = Matcher(LIMITS, inboxes())
    beat = b"NATS/1.0 100 Idle Heartbeat\r\n\r\n"
    see(matcher, [request("$JS.API.CONSUMER.MSG.NEXT.ORDERS.a", "1"), request("service", "2")], 0)
    see(matcher, [reply("1", b"", beat), reply("2", b"", beat)], 10 * MS)
    [other] = matcher.take(500 * MS)  # after the gap
    assert (other.number, len(other.answers)) == (2, 1)
    see(matcher, [delivered("ORDERS.a", b"a1")], 600 * MS)
    [exchange] = matcher.take(900 * MS)
    assert ([answer.payload for answer in exchange.answers], exchange.rtt_ns) == ([b"a1"], 600 * MS)


def test_what_is_no_pull_any_more_or_never_was_takes_no_message() -> None:
    matcher = Matcher(LIMITS, inboxes())
    pull, acknowledge = "$JS.API.CONSUMER.MSG.NEXT.ORDERS.a", "$JS.ACK.ORDERS.a.1.7.3.1700000000000000000.0"
    see(matcher, [request(pull, "1", b'{"no_wait":true}')], 0)
    see(matcher, [reply("1", b"", b"NATS/1.0 404 No Messages\r\n\r\n")], MS)
    see(matcher, [request(pull, "2"), delivered("ORDERS.a", b"a2")], 2 * MS)
    see(matcher, [request(acknowledge, "3", b"+ACK"), reply("3", b"")], 3 * MS)
    see(matcher, [request(pull, "4"), delivered("ORDERS.a", b"a4")], 4 * MS)
    exchanges = sorted(matcher.take(900 * MS), key=lambda exchange: exchange.number)
    assert [[answer.payload for answer in e.answers] for e in exchanges] == [[b""], [b"a2"], [b""], [b"a4"]]
    assert [exchange.outcome.value for exchange in exchanges] == ["error", "answered", "answered", "answered"]


@pytest.mark.parametrize(
    ("payload", "count"),
    [
        (b"", 1),
        (b"5", 5),
        (b'{"batch":3}', 3),
        (b"{", 1),
        (b"0", 1),
        (b"true", 1),
        (b'{"batch":"x"}', 1),
        (b"[]", 1),
    ],
)
def test_how_many_messages_are_pulled(payload: bytes, count: int) -> None:
    assert wanted(payload) == count


def test_a_reply_seen_on_a_watched_subject_is_a_reply() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "_INBOX.1"), (b"_INBOX.1", b"next", None, b"!")], 0, 0)
    assert outcomes(matcher.take(400 * MS)) == [("answered", 1)]


def test_a_reply_subject_used_again_after_its_reply_is_another_exchange() -> None:
    matcher = Matcher(LIMITS, inboxes())
    for number in range(3):
        see(matcher, [request("a", "same", b"%d" % number)], number * MS, 0)
        see(matcher, [reply("same", b"%d" % number)], number * MS)
    exchanges = matcher.take(400 * MS)
    assert [(exchange.payload, exchange.answers[0].payload) for exchange in exchanges] == [
        (b"0", b"0"),
        (b"1", b"1"),
        (b"2", b"2"),
    ]


def test_a_request_with_the_reply_subject_of_an_open_one_is_counted() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "same"), request("worker", "same")], 0, 0)
    see(matcher, [reply("same")], MS)
    assert outcomes(matcher.take(400 * MS)) == [("answered", 1)]
    assert matcher.counts.shared == 1


def test_an_endless_stream_of_replies_ends_its_exchange() -> None:
    matcher = Matcher(MatchLimits(replies=10), inboxes())
    see(matcher, [request("a", "i")], 0, 0)
    for number in range(25):
        see(matcher, [reply("i")], number)
    assert outcomes(matcher.take(25)) == [("answered", 10)]
    assert matcher.counts.late == 15


def test_what_is_open_is_bounded_in_bytes_and_what_does_not_fit_is_counted() -> None:
    matcher = Matcher(MatchLimits(size=1_000_000), inboxes())
    see(matcher, [request("a", f"i{number}", b"x" * 10_000) for number in range(200)], 0, 0)
    assert 80 < matcher.counts.followed < 100
    assert matcher.counts.followed + matcher.counts.crowded == 200
    full = [matcher.full]
    assert len(matcher.take(10_000 * MS)) == matcher.counts.followed
    assert [*full, matcher.full] == [True, False]
    see(matcher, [request("a", "i")], 10_000 * MS, 0)
    assert len(matcher.take(20_000 * MS)) == 1


def test_answered_exchanges_end_early_to_make_room() -> None:
    matcher = Matcher(MatchLimits(size=1_000_000), inboxes())
    for number in range(1000):
        see(matcher, [request("a", f"i{number}", b"x" * 10_000)], number, 0)
        see(matcher, [reply(f"i{number}")], number)
        if matcher.full:
            assert all(exchange.answers for exchange in matcher.take(number))
    assert matcher.counts.followed == 1000


def test_a_sample_has_whole_exchanges_only() -> None:
    matcher = Matcher(LIMITS, inboxes(), asked=WHOLE // 4)
    names = [f"_INBOX.{random.random()}" for _ in range(4000)]
    see(matcher, [request("a", name) for name in names], 0, 0)
    see(matcher, [reply(name) for name in names], MS)
    exchanges = matcher.take(1000 * MS)
    assert 700 < len(exchanges) < 1300
    assert all(exchange.outcome == Outcome.ANSWERED for exchange in exchanges)
    assert matcher.counts.sampled == 4000 - len(exchanges)
    assert matcher.counts.strays == 0


def test_a_smaller_share_does_not_lose_the_replies_of_open_exchanges() -> None:
    matcher = Matcher(LIMITS, inboxes())
    names = [f"_INBOX.{random.random()}" for _ in range(1000)]
    see(matcher, [request("a", name) for name in names], 0, 0)
    matcher.share = WHOLE // 64
    see(matcher, [reply(name) for name in names], MS)
    see(matcher, [request("a", f"later.{name}") for name in names], 2 * MS, 0)
    assert outcomes(matcher.take(1000 * MS)) == [("answered", 1)] * 1000
    assert matcher.counts.shed > 900


def test_what_is_open_when_the_connection_is_lost_is_not_called_unanswered() -> None:
    matcher = Matcher(LIMITS, inboxes())
    see(matcher, [request("a", "i"), request("a", "j")], 0, 0)
    see(matcher, [reply("i"), reply("stray")], MS)
    matcher.interrupt()
    assert outcomes(matcher.take(MS)) == [("answered", 1)]
    assert matcher.counts.interrupted == 1
    assert matcher.counts.strays == 1
    assert matcher.take(9000 * MS) == []


def test_an_exchange_takes_the_same_time_however_many_are_remembered() -> None:
    def seconds(ended: int) -> float:
        """Of 6,000, the median of ten times: what the collector of garbage takes is not counted."""
        matcher = Matcher(MatchLimits(ended=ended), inboxes())
        pieces = []
        for begin in range(0, ended + 60_000, 6_000):
            began = process_time()
            for first in range(begin, begin + 6_000, 100):
                for number in range(first, first + 100):
                    see(matcher, [request("a", f"{number}"), reply(f"{number}")], first * MS)
                matcher.take(first * MS)
            pieces.append(process_time() - began)
        return median(pieces[-10:])

    few, many = seconds(100), seconds(100_000)
    assert many < 3 * few, (few, many)
