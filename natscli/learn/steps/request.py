"""The second half of the walkthrough: somebody who asks."""

from __future__ import annotations

from natscli.learn.step import Attempt, Step


def check(attempt: Attempt) -> str:
    """A reply has to come."""
    if attempt.you.status == 3:
        return "nobody listens on that subject; the responder listens on help.please"
    if attempt.you.status != 0:
        return "a request is 'pynats request SUBJECT BODY'"
    return "" if "Received on" in attempt.other.log else "send a request to help.please"


STEP = Step(
    title="Send a request",
    text="""\
Now a responder runs, and you are the requester.
Send a request to help.please, with any text.
The reply goes to standard output, everything else to standard error: a pipe gets the reply only.""",
    command="pynats request help.please 'I need help!'",
    check=check,
    shows="The RTT is the time from sending the request to the arrival of the reply.",
    beside=("pynats reply help.please 'OK, I CAN HELP!!!'",),
)
