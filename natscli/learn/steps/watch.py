"""Exchanges of others."""

from __future__ import annotations

from natscli.learn.step import Attempt, Step


def check(attempt: Attempt) -> str:
    """Exchanges have to be seen."""
    if attempt.you.status not in (None, 0):
        return "watch takes a subject: 'pynats watch SUBJECT'"
    seen = attempt.you.stdout + attempt.you.log
    return (
        "" if "orders." in seen else "the requests go to orders.1, orders.2, ...: 'orders.*' matches them all"
    )


STEP = Step(
    title="Watch the requests of others",
    text="""\
Somebody sends requests to orders.1, orders.2 and so on, and a service answers.
Watch them from outside, without taking part: * in a subject matches one token, > matches the rest.
--count 3 ends it after three exchanges; without, it goes on until it is stopped.""",
    command="pynats watch 'orders.*' --count 3",
    check=check,
    shows="Each line is a request, its reply, and the time between. --stats sums them up by subject.",
    you="you",
    other="service",
    beside=(
        "pynats reply 'orders.*' 'order {{1}} is on its way'",
        "pynats request 'orders.{{Count}}' '' --rate 4 --duration 2m --wait-for-responders 5s",
    ),
)
