"""One run of `pynats verify`: connect, send, compare, sum up, write the files that were asked for."""

from __future__ import annotations

import sys

from natscli.connection.connect import connected
from natscli.connection.options import Plan
from natscli.environment import Environment
from natscli.errors import ExitStatus
from natscli.message.records.compare import Comparison, Match
from natscli.output.report.cut_off import CutOff, cut_off
from natscli.verify.cases import Cases, nothing_to_send
from natscli.verify.counts import VerifiedCounts
from natscli.verify.options import VerifyOptions
from natscli.verify.show.display import Display
from natscli.verify.verifier import Sending, Verifier


def comparison_of(options: VerifyOptions) -> Comparison:
    """How the options have replies compared.

    Raises:
        InputError: a JSONPath that is none.
    """
    ignored = None
    if options.ignore:
        from natscli.message.records.values import Ignored

        ignored = Ignored(options.ignore)
    most = None if options.max_rtt is None else round(options.max_rtt * 1e9)
    names = frozenset(name.lower() for name in options.ignore_header)
    return Comparison(Match(options.match), ignored, names, most)


async def run(
    options: VerifyOptions, cases: Cases, comparison: Comparison, plan: Plan, environment: Environment
) -> ExitStatus:
    """Verify all cases: OK if all held, or were updated.

    Raises:
        PynatsError: no connection, it was lost, refused, or the results could not be shown.
        asyncio.CancelledError: a signal; what was verified so far was summed up.
    """
    counts = VerifiedCounts(cases.total, cases.unfit)
    display = Display(options, environment, comparison, counts)
    _open_files(options, display, cases)

    def failed(error: BaseException) -> None:
        counts.cut = cut_off(error)
        _write_files(display, options, environment, ", ".join(plan.servers))

    async with connected(plan, environment, failed=failed) as connection:
        sending = Sending(
            options.concurrency, options.rate or 0.0, plan.timeout, options.reply_timeout, options.fail_fast
        )  # fmt: skip
        verifier = Verifier(
            connection, iter(cases), comparison, sending, display.show, display.refused, lambda: display.behind
        )  # fmt: skip
        display.broken.add_done_callback(lambda broken: verifier.stop(broken.result()))
        with display.open():
            try:
                await verifier.run()
                await display.finish()
                if display.update is not None:
                    display.update.write()
            finally:
                counts.cut = _cut_off(options, counts, sys.exc_info()[1])
                _conclude(display, options, verifier, environment, connection.url)
        if not verifier.sent:
            raise nothing_to_send(counts.unfit, options.files[0])
        return ExitStatus.UNEXPECTED if counts.failed else ExitStatus.OK


def _cut_off(options: VerifyOptions, counts: VerifiedCounts, error: BaseException | None) -> CutOff | None:
    """Why not all was verified."""
    if error is None and options.fail_fast and counts.not_verified:
        return CutOff(
            ExitStatus.UNEXPECTED, "first difference", "--fail-fast: the first that differs ended it"
        )
    return cut_off(error)


def _conclude(
    display: Display, options: VerifyOptions, verifier: Verifier, environment: Environment, server: str
) -> None:
    """Sum up, and write the files that were asked for.

    Raises:
        OSError: one could not be written.
    """
    seconds = max(verifier.ended - verifier.started, 0) / 1e9
    if display.update is not None:
        display.counts.not_updated(display.update.waiting)
    display.sum_up(seconds)
    _write_files(display, options, environment, server, verifier.started, verifier.ended)


def _write_files(
    display: Display,
    options: VerifyOptions,
    environment: Environment,
    server: str,
    started: int = 0,
    ended: int = 0,
) -> None:
    """Write the files that were asked for, of what was verified from `started` to `ended`, of `perf_counter_ns`.

    Raises:
        OSError: one could not be written.
    """
    if display.junit is not None:
        seconds = max(ended - started, 0) / 1e9
        display.junit.write(options.junit or "", display.counts, seconds, environment)
    if display.page is not None:
        display.page.write(options, display.counts, started, ended, environment, server)


def _open_files(options: VerifyOptions, display: Display, cases: Cases) -> None:
    """Give `display` what collects for the files that `options` name."""
    if options.junit is not None:
        from natscli.verify.show.junit import JUnit

        display.junit = JUnit(updates=options.update)
    if options.report is not None:
        from natscli.verify.show.page import VerifyPage

        display.page = VerifyPage()
    if options.update:
        from natscli.verify.update import Update

        display.update = Update(cases.read)
