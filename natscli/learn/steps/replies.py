"""Several replies to one request."""

from __future__ import annotations

from natscli.learn.step import Attempt, Step


def check(attempt: Attempt) -> str:
    """More than one reply has to come."""
    replies = sum(attempt.you.stdout.count(name) for name in ("Ann", "Bob", "Cleo"))
    if replies < 2:
        return "one reply came: --replies 3 waits for three, --replies 0 for all that come in time"
    return ""


STEP = Step(
    title="Gather several replies",
    text="""\
Responders in one queue group share the requests; without a group, each of them answers.
Three of those listen on who.is.there. Ask them all with one request:
--replies N waits for N replies, --replies 0 for all that come until none has come for a while.""",
    command="pynats request who.is.there '' --replies 3",
    check=check,
    shows="Each reply has its own RTT. With fewer replies than asked for, the exit status is 4.",
    beside=(
        "pynats reply who.is.there Ann --queue ''",
        "pynats reply who.is.there Bob --queue ''",
        "pynats reply who.is.there Cleo --queue ''",
    ),
    other="one of three responders",
)
