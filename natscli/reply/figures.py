"""What a responder was asked and has answered, as figures: of one process, or of several together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from natscli.histogram import Histogram


class Figures(NamedTuple):
    """Counts of the last `seconds`. `rate_now` is the recent rate, in replies a second; None if it was not measured.

    `unanswerable` requests had no reply subject, `lost` ones were in flight in a process that died;
    the server did not take the replies to `undelivered` ones. `size` is the bytes
    of payloads in and out, None if they were not counted. `times` has the nanoseconds from the arrival of each request
    to its reply. `failed_at` is when the last error was (nanoseconds since 1970).
    """

    seconds: float
    requests: int
    answered: int
    in_flight: int
    errors: int
    last_error: str
    unanswerable: int
    lost: int
    size: tuple[int, int] | None
    times: Histogram
    rate_now: float | None = None
    failed_at: int = 0
    undelivered: int = 0

    @property
    def rate(self) -> float:
        """Replies a second, over all."""
        return self.answered / self.seconds if self.seconds else 0.0

    @property
    def timings(self) -> dict[str, int]:
        """p50, p99 and max in nanoseconds; nothing without a reply."""
        return self.times.named(("p50", "p99", "max"))


def together(parts: Sequence[Figures], seconds: float) -> Figures:
    """The figures of several processes, as those of one that has run for `seconds`."""
    times = Histogram(bits=8, exact=0)
    for part in parts:
        times.add(part.times)
    sizes = [part.size for part in parts if part.size is not None]
    failed_at, last_error = max(((p.failed_at, p.last_error) for p in parts), default=(0, ""))
    return Figures(
        seconds=seconds,
        requests=sum(p.requests for p in parts),
        answered=sum(p.answered for p in parts),
        in_flight=sum(p.in_flight for p in parts),
        errors=sum(p.errors for p in parts),
        last_error=last_error,
        unanswerable=sum(p.unanswerable for p in parts),
        lost=sum(p.lost for p in parts),
        size=(sum(i for i, _ in sizes), sum(o for _, o in sizes)) if sizes else None,
        times=times,
        failed_at=failed_at,
        undelivered=sum(p.undelivered for p in parts),
    )
