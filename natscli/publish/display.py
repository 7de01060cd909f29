"""What a run of `pynats publish` logs, and how it is summed up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import InterruptedByUserError, PynatsError, explain
from natscli.message.recipe import Outgoing
from natscli.output.pump import Pump
from natscli.publish.options import PublishOptions
from natscli.publish.publisher import Tally
from natscli.secrets.redaction import redact_shapes
from natscli.text import format_bytes, replaced

#: Failures that are shown one by one; the rest is only counted.
_MOST_SHOWN = 10
#: How often (seconds) a run that does not log each message says how far it is.
_PROGRESS = 5.0


class PublishDisplay:
    """Logs messages, or how far it is; ends with a summary of many, or a line of JSON.

    A terminal that takes nothing holds up no message: what it does not take is left out of the log, and counted there.
    """

    def __init__(self, options: PublishOptions, environment: Environment) -> None:
        self._options = options
        self._environment = environment
        self._tally = Tally()
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None
        self._pump = Pump(environment, lossy=True, on_failure=lambda _: None)
        self.each = options.log_each and not environment.quiet

    @property
    def unsure(self) -> int:
        """How many of the messages sent so far the server may not have."""
        return self._tally.unsure

    def begin(self, tally: Tally) -> None:
        """Messages begin to be sent; `tally` will say how far it is."""
        self._tally = tally
        if not self.each and not self._options.as_json:
            self._timer = asyncio.get_running_loop().call_later(_PROGRESS, self._log_progress)

    def published(self, batch: list[Outgoing]) -> None:
        """See `Observer`."""
        for outgoing in batch:
            number = f"[#{outgoing.number}] " if self._options.many else ""
            self._environment.log(
                f"{number}Published {len(outgoing.payload)} bytes to [{outgoing.subject}]",
                subject=redact_shapes(outgoing.subject), number=outgoing.number, size=len(outgoing.payload),
            )  # fmt: skip

    def failed(self, outgoing: Outgoing | None, error: PynatsError) -> None:
        """See `Observer`."""
        self._failures += 1
        if self._failures <= _MOST_SHOWN:
            report = explain(error)
            number = f"[#{outgoing.number}] " if self._options.many and outgoing is not None else ""
            self._environment.error(report.replace(message=f"{number}{report.message}"))

    @contextmanager
    def open(self) -> Iterator[None]:
        """Log what happens to the end of the block, then sum up; the JSON has the failure that ended it.

        Raises:
            OSError: the JSON cannot be written.
        """
        with self._pump.taking_log():
            try:
                yield
            except (PynatsError, asyncio.CancelledError) as error:
                self._sum_up()
                with suppress(OSError):  # stdout is gone as well; stderr says what happened first
                    self._write_json(error)
                raise
            self._sum_up()
            self._write_json(None)

    def _sum_up(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._options.many and not self._options.as_json and self._tally.sent + self._tally.failed:
            self._environment.notice(self._summary())
        self._pump.close()

    def _summary(self) -> str:
        tally = self._tally
        took = format_duration(tally.seconds)
        if tally.unsure:
            failed = f", failed: {tally.failed:,}" if tally.failed else ""
            state = f"confirmed only {tally.confirmed:,} of them" if tally.confirmed else "not confirmed them"
            line = f"Sent {tally.sent:,} messages, {format_bytes(tally.size)}, in {took}{failed}"
            return f"{line}; the server has {state}"
        if tally.failed:
            return f"Published {tally.confirmed:,} messages in {took}, failed: {tally.failed:,}"
        line = f"Published {tally.sent:,} messages, {format_bytes(tally.size)}, in {took}"
        return f"{line}, {tally.sent / tally.seconds:,.0f}/s" if tally.seconds else line

    def _write_json(self, error: BaseException | None) -> None:
        if not self._options.as_json:
            return
        tally = self._tally
        record: dict[str, Any] = {
            "subject": self._options.subject,
            "published": tally.confirmed if tally.confirmed or not tally.unsure else None,
            "sent": tally.sent, "failed": tally.failed, "bytes": tally.size, "seconds": round(tally.seconds, 6),
        }  # fmt: skip
        if isinstance(error, asyncio.CancelledError):
            error = InterruptedByUserError("interrupted")
        failure = error or tally.first_failure
        if failure is not None:
            report = explain(failure)
            message = self._environment.redactor.redact(report.message)
            record |= {"error": report.status.name.lower(), "message": message, "status": int(report.status)}
        line = json.dumps(record, ensure_ascii=self._environment.stdout.isatty())
        self._environment.out(replaced(line) + "\n")

    def _log_progress(self) -> None:
        count = f" of {self._options.count:,}" if self._options.count else ""
        self._environment.log(f"Sent {self._tally.sent:,}{count} messages")
        self._timer = asyncio.get_running_loop().call_later(_PROGRESS, self._log_progress)
