"""How requests are sent: how many at once, when, for how long, and what is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from natscli.backoff import Backoff
from natscli.errors import ExitStatus, PynatsError
from natscli.frozen import Frozen

if TYPE_CHECKING:
    from natscli.request.schedule import OpenLoop

#: What `--retry-on` may name.
RETRYABLE = {
    "no-responders": ExitStatus.NO_RESPONDERS,
    "timeout": ExitStatus.TIMEOUT,
    "connection": ExitStatus.CONNECTION,
}
#: Before a request is sent again.
RETRY = Backoff(0.01, 0.25)


class Retries(Frozen):
    """How often a request is sent again, and after which failures. What had a reply is not sent again."""

    times: int = 0
    after: frozenset[ExitStatus] = frozenset({ExitStatus.NO_RESPONDERS, ExitStatus.CONNECTION})

    def apply(self, error: PynatsError, attempts: int) -> bool:
        """Whether a request is sent again whose attempt number `attempts`, from 1, failed with `error`."""
        return attempts <= self.times and error.status in self.after

    @property
    def reconnect(self) -> bool:
        """Whether the run goes on with a new connection when it loses one."""
        return self.times > 0 and ExitStatus.CONNECTION in self.after


class Load(Frozen):
    """How requests are sent. Times in seconds.

    With a `schedule` each is sent when it is due, else as soon as fewer than `concurrency` are in flight. The first
    `warmup` requests do not count; from the one after them on it takes `duration` at most, if that is not 0. The first
    request is sent again until there are responders, for `wait_for_responders`. `fail_fast` ends at the first failure.
    """

    concurrency: int = 1
    schedule: OpenLoop | None = None
    duration: float = 0.0
    warmup: int = 0
    retries: Retries = Retries()
    wait_for_responders: float = 0.0
    fail_fast: bool = False

    @property
    def reconnects(self) -> bool:
        """Whether a connection that is lost may be made anew, at least while responders are waited for."""
        return self.retries.reconnect or self.wait_for_responders > 0

    def share(self, index: int, parts: int) -> Load:
        """The load of process number `index`, from 0, of `parts` processes."""
        schedule = self.schedule and self.schedule.share(index, parts)
        return self.replace(schedule=schedule, concurrency=(self.concurrency + parts - 1 - index) // parts)


#: One request after the other.
ONE_AT_ONCE = Load()
