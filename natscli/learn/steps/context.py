"""Contexts: a server that need not be named again."""

from __future__ import annotations

from natscli.learn.step import Attempt, Step


def check(attempt: Attempt) -> str:
    """A context that leads to the server has to be selected: a request without any option finds it."""
    if attempt.you.status != 0:
        return "a context is 'pynats context add NAME --server URL'; --select makes it the one that is used"
    if attempt.other.status != 0:
        return "a request does not find the server yet: give its URL with --server, and --select"
    return ""


STEP = Step(
    title="Save a server as a context",
    text="""\
A context is a name for a server and its credentials; the nats CLI uses the same files.
Save the server {url} under a name of your choice, and select it.
These contexts are kept apart from your own, and removed at the end.""",
    command="pynats context add school --server {url} --select",
    check=check,
    shows="From here on no command needs --server: the selected context has it. 'pynats context ls' lists all.",
    you="you",
    other="a request without --server",
    beside=("pynats reply help.please 'OK, I CAN HELP!!!' --server {url}",),
    then="pynats request help.please 'I need help!'",
    url=False,
)
