"""What is counted of requests and replies."""

from __future__ import annotations

import time

from natscli.histogram import Histogram
from natscli.message.message import Message
from natscli.reply.responders.responder import Failure
from natscli.reply.statistics import Statistics, figures


def messages(*payloads: bytes) -> list[Message]:
    return [(b"s", b"inbox", b"NATS/1.0\r\n\r\n", payload) for payload in payloads]


def test_requests_replies_and_payload_bytes_are_counted() -> None:
    statistics = Statistics(sizes=True)
    statistics.receive(messages(b"a", b"bcd"))
    assert (statistics.requests, statistics.answered, statistics.in_flight) == (2, 0, 2)
    statistics.finish(2, messages(b"OK", b"OK"))
    statistics.receive(messages(b""))
    statistics.finish(1, messages(b"OK"))
    assert (statistics.requests, statistics.answered, statistics.in_flight) == (3, 3, 0)
    assert (statistics.bytes_in, statistics.bytes_out) == (4, 6)
    assert (statistics.errors, statistics.last_error) == (0, "")
    assert abs(time.time() - statistics.started) < 60


def test_bytes_are_counted_only_when_they_are_asked_for() -> None:
    statistics = Statistics(times=lambda *given: None)
    statistics.receive(messages(b"a", b"bcd"))
    statistics.finish(2, messages(b"OK", b"OK"))
    assert (statistics.requests, statistics.answered) == (2, 2)
    assert (statistics.bytes_in, statistics.bytes_out) == (0, 0)


def test_time_is_added_up_and_handed_on_once_for_requests_that_took_the_same() -> None:
    times: list[tuple[int, int]] = []
    statistics = Statistics(times=lambda *given: times.append(given))
    statistics.spend(1000, 1500, 3)
    statistics.spend(20, 20, 1)
    assert statistics.processing == 1020
    assert times == [(1500, 3), (20, 1)]


def test_errors_are_counted_and_the_last_is_kept() -> None:
    statistics = Statistics()
    statistics.receive(messages(b"a", b"b", b"c"))
    statistics.finish(3, messages(b"", b"", b""))
    statistics.fail(Failure(404, "not found", notice=""), 2)
    statistics.fail(Failure(503, "too many"), 1)
    assert (statistics.requests, statistics.errors, statistics.last_error) == (3, 3, "503:too many")
    assert (statistics.answered, statistics.in_flight) == (3, 0)


def test_the_last_error_of_several_is_the_last_in_time() -> None:
    first, second = Statistics(), Statistics()
    for statistics, text in ((first, "early"), (second, "middle"), (first, "late")):
        statistics.fail(Failure(500, text), 1)
    assert figures([Statistics(), first, second], Histogram(), 1.0).last_error == "500:late"
    first.fail(Failure(500, "later"), 1)
    second.fail(Failure(500, "last"), 1)
    assert figures([Statistics(), first, second], Histogram(), 1.0).last_error == "500:last"


def test_requests_that_are_not_answered_are_no_longer_in_flight() -> None:
    statistics = Statistics()
    statistics.receive(messages(b"a"))
    statistics.finish(1, [])
    assert (statistics.requests, statistics.answered, statistics.in_flight) == (1, 0, 0)


def test_requests_without_a_reply_subject_are_counted_aside() -> None:
    statistics = Statistics()
    statistics.ignore(2)
    assert (statistics.requests, statistics.unanswerable) == (0, 2)
