"""What a request came to: what its reply says went wrong, and what it is short of when its time is over."""

from __future__ import annotations

from natscli.duration import format_duration
from natscli.errors import ErrorReplyError, NoReplyError, PynatsError
from natscli.message import headers
from natscli.request.again import Ongoing
from natscli.request.options import Expectation


def service_error(header: bytes, subject: str) -> PynatsError | None:
    """What the service that answered on `subject` says went wrong (ADR-32), if it does."""
    problem = headers.read_service_error(header)
    if problem is None:
        return None
    code, text = problem
    shown = f"the service answered with error {code}".rstrip() + (f": {text}" if text else "")
    return ErrorReplyError(shown, where=subject)


def timeout(ongoing: Ongoing, expect: Expectation) -> PynatsError | None:
    """How a request whose time is over has failed; None if it has all that was asked for."""
    came = ongoing.replies
    if not came:
        what = f"no reply within {format_duration(expect.first)}"
    elif ongoing.error is not None or (came >= expect.replies and not expect.until_empty):
        return ongoing.error
    else:
        wanted = f"{came} of {expect.replies} replies"
        if expect.until_empty:
            wanted = f"{came} replies and no empty one"
        what = f"{wanted}, none more within {format_duration(expect.gap)}"
    return NoReplyError(f"timeout: {what}", where=ongoing.request.subject)
