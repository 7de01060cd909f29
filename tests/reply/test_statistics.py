"""What is counted of requests and replies."""

from __future__ import annotations

import time
from time import perf_counter_ns

from natscli.histogram import Histogram
from natscli.message.message import Message
from natscli.message.templates import compile_template
from natscli.reply.responders.responder import Batch, Done, Failure, Responder, fail
from natscli.reply.responders.static import static
from natscli.reply.statistics import Statistics, figures

OK = static(compile_template("OK", "BODY", reply=True), ())


def batch(*payloads: bytes) -> Batch:
    return Batch(
        [(b"s", b"inbox", b"NATS/1.0\r\n\r\n", payload) for payload in payloads], 0, perf_counter_ns()
    )


def ignore(batch: Batch, replies: list[Message], failure: Failure | None) -> tuple[bytes, ...]:
    """Deliver nothing."""
    return ()


class Later(Responder):
    """Keeps what it is asked; the tests answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[Batch, Done]] = []

    def respond(self, batch: Batch, done: Done) -> None:
        self.asked.append((batch, done))


def test_requests_replies_and_payload_bytes_are_counted() -> None:
    statistics = Statistics(sizes=True)
    statistics.respond(OK, batch(b"a", b"bcd"), ignore)
    statistics.respond(OK, batch(b""), ignore)
    assert (statistics.requests, statistics.answered, statistics.in_flight) == (3, 3, 0)
    assert (statistics.bytes_in, statistics.bytes_out) == (4, 6)
    assert (statistics.errors, statistics.last_error) == (0, "")
    assert abs(time.time() - statistics.started) < 60


def test_bytes_are_counted_only_when_they_are_asked_for() -> None:
    statistics = Statistics(times=lambda *given: None)
    statistics.respond(OK, batch(b"a", b"bcd"), ignore)
    assert (statistics.requests, statistics.answered) == (2, 2)
    assert (statistics.bytes_in, statistics.bytes_out) == (0, 0)


def test_replies_are_handed_on() -> None:
    seen: list[tuple[Batch, list[Message], Failure | None]] = []

    def deliver(batch: Batch, replies: list[Message], failure: Failure | None) -> tuple[bytes, ...]:
        seen.append((batch, replies, failure))
        return ()

    asked = batch(b"a", b"b")
    Statistics().respond(OK, asked, deliver)
    assert seen == [(asked, [(b"inbox", b"", None, b"OK")] * 2, None)]


def test_an_immediate_responder_takes_its_time_once_for_a_batch() -> None:
    class Slow(Responder):
        immediate = True

        def respond(self, batch: Batch, done: Done) -> None:
            time.sleep(0.01)
            OK.respond(batch, done)

    times: list[tuple[int, int]] = []
    statistics = Statistics(times=lambda *given: times.append(given))
    start = perf_counter_ns()
    statistics.respond(Slow(), batch(b"a", b"b", b"c"), ignore)
    spent = perf_counter_ns() - start
    assert 10_000_000 <= statistics.processing <= spent
    ((elapsed, count),) = times
    assert (count, 10_000_000 <= elapsed <= spent) == (3, True)


def test_other_responders_take_the_time_from_arrival_to_reply_for_each_request() -> None:
    times: list[tuple[int, int]] = []
    statistics, later = Statistics(times=lambda *given: times.append(given)), Later()
    asked = batch(b"a", b"b")
    statistics.respond(later, asked, ignore)
    assert (statistics.requests, statistics.in_flight, statistics.processing) == (2, 2, 0)
    ((given, done),) = later.asked
    time.sleep(0.01)
    first, second = given.single()
    OK.respond(second, done)
    assert (statistics.answered, statistics.in_flight) == (1, 1)
    OK.respond(first, done)
    assert statistics.in_flight == 0
    assert [count for _, count in times] == [1, 1]
    assert statistics.processing == sum(elapsed for elapsed, _ in times)
    assert 20_000_000 <= statistics.processing <= 2 * (perf_counter_ns() - asked.arrived)


def test_errors_are_counted_and_the_last_is_kept() -> None:
    statistics, later = Statistics(), Later()
    statistics.respond(later, batch(b"a", b"b"), ignore)
    ((given, done),) = later.asked
    fail(given, done, Failure(404, "not found", notice=""))
    statistics.refuse(batch(b"c"), ignore, Failure(503, "too many"))
    assert (statistics.requests, statistics.errors, statistics.last_error) == (3, 3, "503:too many")
    assert (statistics.answered, statistics.in_flight) == (3, 0)


def test_the_last_error_of_several_is_the_last_in_time() -> None:
    first, second = Statistics(), Statistics()
    for statistics, text in ((first, "early"), (second, "middle"), (first, "late")):
        statistics.refuse(batch(b"x"), ignore, Failure(500, text))
    assert figures([Statistics(), first, second], Histogram(), 1.0).last_error == "500:late"
    first.refuse(batch(b"x"), ignore, Failure(500, "later"))
    second.refuse(batch(b"x"), ignore, Failure(500, "last"))
    assert figures([Statistics(), first, second], Histogram(), 1.0).last_error == "500:last"


def test_replies_that_are_too_large_are_counted_as_errors() -> None:
    statistics = Statistics()
    statistics.respond(OK, batch(b"a", b"b", b"c"), lambda *given: {b"inbox 1", b"inbox 2"})
    assert (statistics.requests, statistics.answered, statistics.errors) == (3, 3, 2)
    assert statistics.last_error == "500:the reply is larger than the server takes"


def test_requests_that_are_not_answered_are_no_longer_in_flight() -> None:
    statistics, later = Statistics(), Later()
    statistics.respond(later, batch(b"a"), ignore)
    ((given, done),) = later.asked
    done(given, [], None)
    assert (statistics.requests, statistics.answered, statistics.in_flight) == (1, 0, 0)
