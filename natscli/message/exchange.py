"""An exchange: a request and what came back. The words that watching, recording and verifying share."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from natscli.message.status import ReplyProblem


class Outcome(str, Enum):
    """How an exchange ended, as seen from outside."""

    ANSWERED = "answered"
    ERROR = "error"
    UNANSWERED = "unanswered"
    NO_RESPONDERS = "no_responders"


class Answer(NamedTuple):
    """A reply: nanoseconds from its request to it, header block and payload.

    `packet` is the payload as it came, if `payload` was made of that.
    """

    rtt_ns: int
    header: bytes | None
    payload: bytes
    packet: bytes = b""

    @property
    def said(self) -> bytes:
        """The payload that says what the reply is: not the value in a packet, which may look like anything."""
        return self.packet or self.payload


class Exchange(NamedTuple):
    """A request and its replies. `number` counts requests from 1, `came` is when it was seen (seconds since 1970).

    `error` is what the first reply that is a failure says: a service error, a status, an error of JetStream. `via` is
    the subject that was asked when something passed the request on to `subject`.
    """

    number: int
    came: float
    subject: bytes
    reply: bytes
    header: bytes | None
    payload: bytes
    answers: tuple[Answer, ...]
    outcome: Outcome
    error: ReplyProblem | None = None
    via: bytes = b""

    @property
    def rtt_ns(self) -> int | None:
        """Nanoseconds to the first reply; None without one."""
        return self.answers[0].rtt_ns if self.answers else None
