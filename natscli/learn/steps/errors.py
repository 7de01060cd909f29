"""What goes wrong, and how a script sees it."""

from __future__ import annotations

from natscli.learn.step import Attempt, Step


def check(attempt: Attempt) -> str:
    """The service has to answer with its error."""
    if attempt.you.status == 3:
        return "exit status 3: nobody listens there; the service listens on shop.order"
    if attempt.you.status != 7:
        return "send a request to shop.order"
    return ""


STEP = Step(
    title="See a service fail",
    text="""\
A service says in the headers of its reply that it failed (ADR-32), and the exit status tells a script.
The service on shop.order always answers with the error 404.
Send it a request, and look at the exit status.""",
    command="pynats request shop.order '{\"id\": 42}'",
    check=check,
    shows="7 is an error of the service, 3 no responders, 4 a timeout, 5 no connection. 'pynats --help' has all.",
    beside=("pynats reply shop.order '' --fail 1:404",),
    other="service",
)
