"""Counts of what was asked and answered: a few additions for each batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from natscli.histogram import Histogram
from natscli.message.message import Message, payload_of
from natscli.reply.figures import Figures
from natscli.reply.responders.responder import Failure


@dataclass(eq=False)
class Statistics:
    """What was asked and answered since `started` (seconds since 1970).

    `finished` requests are no longer in flight, `answered` ones got a reply, and `errors` of them one that says what
    went wrong; `last_error` is the code and the text of the last, `failed_at` when that was (nanoseconds since 1970).
    `unanswerable` ones, without a reply subject, are not among the `requests`. The server did not take the replies to
    `undelivered` ones, which are not among the answered.

    `processing` is nanoseconds: of an immediate responder those that its batches took, of any other those from the
    arrival of each request to its reply.

    `times` is called with the nanoseconds from arrival to reply, and for how many requests they were the same. With
    `sizes`, `bytes_in` and `bytes_out` have the bytes of payloads: looking at every message takes a tenth of the time
    that answering it takes.
    """

    started: float = field(default_factory=time.time)
    requests: int = 0
    finished: int = 0
    answered: int = 0
    errors: int = 0
    last_error: str = ""
    failed_at: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    processing: int = 0
    unanswerable: int = 0
    undelivered: int = 0
    times: Callable[[int, int], object] | None = None
    sizes: bool = False

    @property
    def in_flight(self) -> int:
        """Requests that are being answered."""
        return self.requests - self.finished

    def receive(self, requests: list[Message]) -> None:
        """Count requests that came; they are in flight."""
        self.requests += len(requests)
        if self.sizes:
            self.bytes_in += sum(map(len, map(payload_of, requests)))

    def ignore(self, count: int) -> None:
        """Count requests without a reply subject."""
        self.unanswerable += count

    def undeliver(self, count: int) -> None:
        """Requests were not answered after all: the server does not take the replies."""
        self.undelivered += count
        self.answered -= count

    def finish(self, requests: int, replies: list[Message]) -> None:
        """Count `requests` that are no longer in flight, and their replies, of which there may be none."""
        self.finished += requests
        self.answered += len(replies)
        if self.sizes:
            self.bytes_out += sum(map(len, map(payload_of, replies)))

    def add(self, replies: list[Message]) -> None:
        """Count replies to a request that is still in flight, because more are to come."""
        if self.sizes:
            self.bytes_out += sum(map(len, map(payload_of, replies)))

    def fail(self, failure: Failure, requests: int) -> None:
        """Count `requests` that were answered with an error."""
        self.errors += requests
        self.last_error = f"{failure.code}:{failure.text}"
        self.failed_at = time.time_ns()

    def spend(self, processing: int, elapsed: int, requests: int) -> None:
        """Count nanoseconds: `processing` for all of `requests`, `elapsed` for each, from its arrival to its reply."""
        self.processing += processing
        if self.times is not None:
            self.times(elapsed, requests)


def figures(counted: Iterable[Statistics], times: Histogram, seconds: float) -> Figures:
    """All that was `counted`, together, in a run that has lasted `seconds`."""
    all_of = list(counted)
    sizes = any(s.sizes for s in all_of)
    failed_at, last_error = max(((s.failed_at, s.last_error) for s in all_of), default=(0, ""))
    return Figures(
        seconds=seconds,
        requests=sum(s.requests for s in all_of),
        answered=max(sum(s.answered for s in all_of), 0),  # the first of several replies may be refused
        in_flight=sum(s.in_flight for s in all_of),
        errors=sum(s.errors for s in all_of),
        last_error=last_error,
        unanswerable=sum(s.unanswerable for s in all_of),
        lost=0,
        size=(sum(s.bytes_in for s in all_of), sum(s.bytes_out for s in all_of)) if sizes else None,
        times=times.copy(),
        failed_at=failed_at,
        undelivered=sum(s.undelivered for s in all_of),
    )
