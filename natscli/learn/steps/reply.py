"""The first half of the walkthrough: somebody who answers."""

from __future__ import annotations

from natscli.learn.step import Attempt, Step


def check(attempt: Attempt) -> str:
    """A reply has to come back."""
    if "no responders" in attempt.other.log:
        return "the request goes to help.please: that is the subject to listen on"
    if attempt.other.status != 0:
        return "no reply came; a responder is 'pynats reply SUBJECT BODY'"
    return ""


STEP = Step(
    title="Answer requests",
    text="""\
A responder listens on a subject and sends a reply to every request that comes there.
Answer all requests on help.please with a text of your own.
It runs until it is stopped; here that is done for you.""",
    command="pynats reply help.please 'OK, I CAN HELP!!!'",
    check=check,
    shows="Your responder saw the request, and the requester got your text back, with the time that took.",
    you="responder (you)",
    other="requester",
    then="pynats request help.please 'I need help!'",
)
