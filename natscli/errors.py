"""Exit statuses, the error types, and the one place that turns any exception into a message and a status."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import IntEnum

from natscli.frozen import Frozen


class ExitStatus(IntEnum):
    """What the process exits with. Scripts rely on these numbers; they never change meaning."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NO_RESPONDERS = 3
    TIMEOUT = 4
    CONNECTION = 5
    REFUSED = 6
    SERVICE_ERROR = 7
    UNEXPECTED = 8
    INTERRUPTED = 130


#: One line each, for `pynats --help` and the docs.
EXIT_STATUS_HELP: dict[ExitStatus, str] = {
    ExitStatus.OK: "done",
    ExitStatus.FAILURE: "any other failure",
    ExitStatus.USAGE: "bad usage or bad input; before connecting, except for max_payload",
    ExitStatus.NO_RESPONDERS: "no responders: the subject has no subscribers",
    ExitStatus.TIMEOUT: "timeout: no reply, or fewer than --replies asked for",
    ExitStatus.CONNECTION: "cannot connect, or the connection was lost",
    ExitStatus.REFUSED: "refused: authentication, authorization, permissions",
    ExitStatus.SERVICE_ERROR: "the service answered with an error, or a status such as 404",
    ExitStatus.UNEXPECTED: "what came is not what was expected (--expect, verify, ...)",
    ExitStatus.INTERRUPTED: "interrupted",
}

#: In a word or two, of those that scripts look at.
EXIT_STATUS_NAMES: dict[ExitStatus, str] = {
    ExitStatus.NO_RESPONDERS: "no responders",
    ExitStatus.TIMEOUT: "timeout",
    ExitStatus.CONNECTION: "connection",
    ExitStatus.REFUSED: "refused",
    ExitStatus.SERVICE_ERROR: "error",
    ExitStatus.UNEXPECTED: "unexpected",
}


class PynatsError(Exception):
    """Any failure pynats reports on purpose.

    `what` happened, `where` it came from (shown in parentheses) and the `hint`: a command or a setting
    that fixes it. None of the three may hold a secret that is not redacted when it is shown.
    """

    status = ExitStatus.FAILURE

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} ({self.where})" if self.where else self.what


class InputError(PynatsError):
    """Bad usage or bad input. Found before connecting, but for a payload larger than the server's `max_payload`."""

    status = ExitStatus.USAGE


def refuse_together(given: Mapping[str, bool], *exclusive: tuple[str, ...]) -> None:
    """Refuse options that cannot be meant together: of each of the `exclusive` ones only one may be given.

    Raises:
        InputError: it names those that are.
    """
    for names in exclusive:
        chosen = [name for name in names if given[name]]
        if len(chosen) > 1:
            raise InputError(f"{' and '.join(chosen)} exclude each other")


def refuse_alone(given: Mapping[str, bool], *needs: tuple[str, tuple[str, ...]]) -> None:
    """Refuse options that mean nothing alone: each pair is an option and those of which it needs one.

    Raises:
        InputError: it names the option and what it needs.
    """
    for name, others in needs:
        if given[name] and not any(given[other] for other in others):
            raise InputError(f"{name} needs {' or '.join(others)}")


class NoRespondersError(PynatsError):
    """The subject has no subscribers (status 503, NATS no_responders)."""

    status = ExitStatus.NO_RESPONDERS


class NoReplyError(PynatsError):
    """No reply, or fewer than asked for, within the time allowed."""

    status = ExitStatus.TIMEOUT


class ConnectionFailedError(PynatsError):
    """No server could be reached, or the connection was lost."""

    status = ExitStatus.CONNECTION


class RefusedError(PynatsError):
    """The server refused: authentication, authorization or permissions."""

    status = ExitStatus.REFUSED


class ErrorReplyError(PynatsError):
    """The service answered with Nats-Service-Error headers (ADR-32)."""

    status = ExitStatus.SERVICE_ERROR


class UnexpectedError(PynatsError):
    """What came is not what was expected."""

    status = ExitStatus.UNEXPECTED


class InterruptedByUserError(PynatsError):
    """A signal stopped the program before it was done."""

    status = ExitStatus.INTERRUPTED


class Terminated(KeyboardInterrupt):
    """A SIGTERM or SIGHUP, on its way to where Ctrl-C is handled."""


def reason(error: Exception) -> str:
    """Why the system refused something, or what another exception says, as the end of a message."""
    text = getattr(error, "strerror", None) or str(error)
    return f"{text[:1].lower()}{text[1:]}"


class Report(Frozen):
    """An error as it is shown: one line, perhaps a hint line, and the exit status."""

    message: str
    status: ExitStatus
    hint: str = ""


def explain(error: BaseException) -> Report:
    """Turn any exception into what is shown and the status to exit with. Never raises."""
    if isinstance(error, PynatsError):
        return Report(str(error), error.status, error.hint)
    if isinstance(error, KeyboardInterrupt):
        return Report("interrupted", ExitStatus.INTERRUPTED)
    click_errors = sys.modules.get("click.exceptions")
    if click_errors is not None:
        if isinstance(error, click_errors.Abort):
            return Report("interrupted", ExitStatus.INTERRUPTED)
        if isinstance(error, click_errors.UsageError):
            return _explain_usage(error)
        if isinstance(error, click_errors.ClickException):
            return Report(error.format_message(), ExitStatus.FAILURE)
    if isinstance(error, BrokenPipeError):
        return Report("the output was closed by its reader", ExitStatus.FAILURE)
    if isinstance(error, ConnectionError):
        return Report(f"the connection was lost: {reason(error)}", ExitStatus.CONNECTION)
    if isinstance(error, OSError):
        where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, (str, bytes)) else ""
        return Report(f"{reason(error)}{where}", ExitStatus.FAILURE)
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return Report(
        f"{kind}: {text}" if text else kind, ExitStatus.FAILURE, "run it again with --trace to see where"
    )


def _explain_usage(error: object) -> Report:
    message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    message = message.rstrip(".")
    message = message[:1].lower() + message[1:] if not message[:2].isupper() else message
    ctx = getattr(error, "ctx", None)
    hint = f"try '{ctx.command_path} --help'" if ctx is not None else ""
    return Report(message, ExitStatus.USAGE, hint)
