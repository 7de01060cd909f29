"""`--by`: what the rows of the statistics are of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.status import read_problem, responder
from natscli.text import exact

#: The exchanges that one counts as, each with the row it belongs to; None if that is not known.
Split = Callable[[Exchange], Iterable[tuple["str | None", Exchange]]]
_HEADER = "header:"


class Grouping(NamedTuple):
    """Rows by `member`, the name that JSON has for what a row is of; tables have the `heading`."""

    member: str
    heading: str
    split: Split


def by_subject(exchange: Exchange) -> Iterable[tuple[str | None, Exchange]]:
    """The subject of the request."""
    return ((exact(exchange.subject), exchange),)


SUBJECT = Grouping("subject", "Subject", by_subject)


def grouping(by: str | None) -> Grouping:
    """What the option `by` says, without one by subject.

    Raises:
        InputError: there is no such grouping.
    """
    if by in (None, "subject"):
        return SUBJECT
    if by == "responder":
        return Grouping("responder", "Responder", _by_reply(lambda _, a: responder(a.header, a.payload)))
    name = by.removeprefix(_HEADER) if by else ""
    if not name or name == by:
        raise InputError(
            f"unknown grouping {by!r}", where="--by", hint="choose subject, responder or header:NAME"
        )
    try:
        headers.check(name, "")
    except InputError as error:
        raise InputError(error.what, where="--by") from None
    wanted = name.lower()

    def value(exchange: Exchange, answer: Answer) -> str:
        return _value(answer.header, wanted) or _value(exchange.header, wanted)

    def value_of_request(exchange: Exchange) -> str:
        return _value(exchange.header, wanted)

    return Grouping("header", name, _by_reply(value, value_of_request))


def _value(header: bytes | None, wanted: str) -> str:
    """The first value of the header that is called `wanted`, whatever its case."""
    return next((value for name, value in headers.decode(header) if name.lower() == wanted), "")


def _by_reply(
    key: Callable[[Exchange, Answer], str], without: Callable[[Exchange], str] = lambda _: ""
) -> Split:
    """By what `key` says of a reply, or `without` of an exchange that has none.

    Replies of several kinds to one request are an exchange of each.
    """

    def split(exchange: Exchange) -> Iterable[tuple[str | None, Exchange]]:
        kinds: dict[str, list[Answer]] = {}
        for answer in exchange.answers:
            kinds.setdefault(key(exchange, answer), []).append(answer)
        if len(kinds) < 2:
            return (((next(iter(kinds)) if kinds else without(exchange)) or None, exchange),)
        return [(kind or None, _part(exchange, tuple(answers))) for kind, answers in kinds.items()]

    return split


def _part(exchange: Exchange, answers: tuple[Answer, ...]) -> Exchange:
    """`exchange`, if only these `answers` had come."""
    problems = [read_problem(one.header, one.payload, exact(exchange.subject)) for one in answers]
    failed = next(filter(None, problems), None)
    outcome = Outcome.ANSWERED if failed is None else Outcome.ERROR
    return exchange._replace(answers=answers, outcome=outcome, error=failed)
