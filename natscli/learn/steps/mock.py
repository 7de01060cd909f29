"""A service that is not there."""

from __future__ import annotations

from natscli.learn.step import Attempt, Step

ORDERS = """\
{"subject": "orders.42", "reply": {"json": {"id": 42, "state": "shipped"}}}
{"subject": "orders.*", "reply": {"status": 404, "error": "no such order"}}
"""


def check(attempt: Attempt) -> str:
    """The mock has to answer as its file says."""
    if attempt.other.status == 3:
        return "nobody answered: 'pynats reply --mock FILE' listens on the subjects of the file"
    found = attempt.other.json()
    return (
        ""
        if isinstance(found, dict) and found.get("state") == "shipped"
        else "--mock orders.jsonl names the file"
    )


STEP = Step(
    title="Stand in for a service",
    text="""\
The file orders.jsonl says what a service would answer: order 42 is shipped, all others are unknown.
Answer requests from it with pynats reply --mock FILE; the subjects are in the file.
--record writes such a file from what a real service answers.""",
    command="pynats reply --mock orders.jsonl",
    check=check,
    shows="Tests can run against it, where the service is not. 'pynats reply --help' says more.",
    you="mock (you)",
    other="requester",
    then="pynats request orders.42 ''",
    files={"orders.jsonl": ORDERS},
)
