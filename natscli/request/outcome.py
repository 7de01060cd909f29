"""What a request came to: what its reply says of itself, what the server refused, what is missing at its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from natscli.duration import format_duration
from natscli.errors import ErrorReplyError, NoReplyError, NoRespondersError, PynatsError
from natscli.message import headers, status
from natscli.message.status import Acknowledgement, read_acknowledgement, read_problem
from natscli.request.again import Ongoing
from natscli.request.options import Expectation

if TYPE_CHECKING:
    from natscli.request.conditions.judge import Judge, Queried


def is_no_responders(header: bytes | None, payload: bytes) -> bool:
    """Whether a server says that nobody subscribes, rather than a service anything."""
    return not payload and headers.status(header) == "503"


def no_responders(header: bytes | None, subject: str) -> NoRespondersError:
    """That nobody subscribes to `subject`, or to the other one that the server made of it."""
    return NoRespondersError(status.no_responders(header, subject), where=subject)


def failure(
    ongoing: Ongoing,
    expect: Expectation,
    judge: Judge | Queried | None,
    header: bytes | None,
    payload: bytes,
) -> PynatsError | None:
    """How a request has failed, when this reply is one of its own; None if it has not so far.

    A reply says so, unless the `judge` is asked about errors: a service error (ADR-32), a status from 400 on, an error
    of JetStream. So does a server that says that there are no more, when more were asked for.
    """
    if ongoing.error is not None:
        return ongoing.error
    subject = ongoing.request.subject
    judged = judge is not None and judge.of_errors
    problem = None if judged else read_problem(header, payload, subject)
    if problem is not None:
        return ErrorReplyError(str(problem), where=subject)
    if expect.until_empty or expect.replies < 2 or not headers.says_end(header, payload):
        return None
    return NoReplyError(
        f"{ongoing.replies} of {expect.replies} replies, and the server says that no more come",
        where=subject, hint="--replies 0 takes all that there are",
    )  # fmt: skip


def acknowledged(payload: bytes, subject: str) -> Acknowledgement | None:
    """The acknowledgement of a stream that has taken the request on `subject`, if that is what the payload is."""
    found = read_acknowledgement(payload, subject)
    return found if found is not None and found.error is None else None


def only_a_stream(stream: str, subject: str) -> NoRespondersError:
    """That a stream takes what is sent to `subject`, and nobody answers it."""
    return NoRespondersError(f"no responders: only stream {stream} takes the requests", where=subject)


def timeout(ongoing: Ongoing, expect: Expectation) -> PynatsError | None:
    """How a request whose time is over has failed; None if it has all that was asked for."""
    came, hint = ongoing.replies, "" if ongoing.replies else expect.silence
    if not came:
        what = f"no reply within {format_duration(expect.first)}"
    elif ongoing.error is not None or (came >= expect.replies and not expect.until_empty):
        return ongoing.error
    else:
        wanted = f"{came} of {expect.replies} replies"
        if expect.until_empty:
            wanted = f"{came} {'reply' if came == 1 else 'replies'} and no {expect.last}"
        what = f"{wanted}, none more within {format_duration(expect.gap)}"
        hint = "--reply-timeout DURATION waits longer for the next reply"
    return NoReplyError(f"timeout: {what}", where=ongoing.request.subject, hint=hint)


def refused(text: str, in_flight: Iterable[Ongoing]) -> list[Ongoing]:
    """The requests that the server means with `Permissions Violation for Publish to "x"`.

    It checks what a mapping made of the subject, and what the request asks for beside (`Nats-Trace-Dest`): when all in
    flight have one subject, it means these, whatever it names.
    """
    quoted = {ongoing: f'"{ongoing.request.subject}"' for ongoing in in_flight}
    if text == text.lower():  # through public names of nats-py, subjects come in lower case
        quoted = {ongoing: subject.lower() for ongoing, subject in quoted.items()}
    named = [ongoing for ongoing, subject in quoted.items() if subject in text]
    if not named and len(set(quoted.values())) == 1:
        return list(quoted)
    return named
