"""What became of the requests of a run, counted and summed up."""

from __future__ import annotations

import json
import pickle

from natscli.errors import NoReplyError, NoRespondersError
from natscli.request.statistics import Statistics
from natscli.request.summary import Failures


def some() -> Statistics:
    statistics = Statistics()
    statistics.sent, statistics.answered = 5, 2
    statistics.bytes_sent, statistics.bytes_received = 50, 9
    statistics.started, statistics.ended = 10**9, 3 * 10**9
    statistics.rtt.record(1_000)
    statistics.rtt.record(3_000)
    statistics.fail(NoRespondersError("no responders", where="a.b"), 1)
    statistics.fail(NoReplyError("timeout: no reply", where="a.c"), 1)
    return statistics


def test_failures_are_counted_by_kind_with_the_first_as_an_example() -> None:
    statistics = some()
    statistics.fail(NoRespondersError("no responders", where="a.z"), 3)
    assert statistics.summary().failed == {
        "no_responders": Failures(4, "no responders (a.b)"),
        "timeout": Failures(1, "timeout: no reply (a.c)"),
    }


def test_what_was_sent_and_has_not_ended_is_in_flight_and_what_was_never_sent_is_not() -> None:
    statistics, other = some(), some()
    other.fail(NoReplyError("timeout", where="x"), 4, unsent=4)
    statistics.add(other)
    assert statistics.summary().in_flight == statistics.in_flight == 2


def test_a_summary_does_not_change_when_more_is_counted() -> None:
    statistics = some()
    summary = statistics.summary()
    statistics.fail(NoReplyError("timeout", where="x"), 7)
    statistics.sent += 7
    assert (summary.sent, summary.failed["timeout"].count) == (5, 1)


def test_the_rate_is_of_requests_that_ended() -> None:
    assert (some().summary().seconds, some().summary().rate) == (2.0, 2.0)
    assert Statistics().summary().rate == 0


def test_a_summary_is_json_for_programs() -> None:
    summary = some().summary()
    assert json.loads(json.dumps(summary.as_json())) == {
        "sent": 5, "answered": 2, "failed": 2, "in_flight": 1, "late": 0, "retried": 0, "acknowledged": 0,
        "more_replies": 0, "bytes_sent": 50, "bytes_received": 9, "seconds": 2.0, "rate": 2.0,
        "failures": {
            "no_responders": {"count": 1, "example": "no responders (a.b)"},
            "timeout": {"count": 1, "example": "timeout: no reply (a.c)"},
        },
        "rtt_ns": {"min": 1000, "mean": 2000, "p50": 1000, "p90": 3000, "p99": 3000, "p99.9": 3000, "max": 3000},
    }  # fmt: skip
    assert Statistics().summary().timings == {}


def test_processes_are_added_up() -> None:
    whole, other = some(), pickle.loads(pickle.dumps(some()))
    other.started, other.ended = 2 * 10**9, 5 * 10**9
    whole.add(other)
    summary = whole.summary()
    assert (summary.sent, summary.answered, summary.in_flight, summary.seconds) == (10, 4, 2, 4.0)
    assert summary.failed["timeout"] == Failures(2, "timeout: no reply (a.c)")
    assert summary.rtt.count == 4
    alone = Statistics()
    alone.add(other)
    assert alone.summary().seconds == 3.0


def test_the_first_failure_of_several_processes_is_the_first_in_time() -> None:
    early, late, whole = Statistics(), Statistics(), Statistics()
    early.fail(NoRespondersError("no responders"), 1)
    late.fail(NoReplyError("timeout"), 1)
    for one in (Statistics(), late, early):
        whole.add(one)
    assert whole.first_failure is early.first_failure
