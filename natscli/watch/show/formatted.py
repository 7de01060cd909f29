"""Exchanges as a format has them: what is in the messages of a framework (`--format`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.formats.format import Content, Format
from natscli.message.message import Message
from natscli.message.status import read_problem
from natscli.output.pump import Rendered
from natscli.text import exact
from natscli.watch.show.exchanges import RenderExchanges


def in_format(render: RenderExchanges, form: Format) -> RenderExchanges:
    """`render`, for exchanges whose payloads are in a format; what is in no packet of it is shown as it is."""

    def show(exchanges: Sequence[Exchange]) -> Rendered:
        return render([opened(exchange, form) for exchange in exchanges])

    return show


def opened(exchange: Exchange, form: Format) -> Exchange:
    """`exchange` with what is in its messages as their payloads."""
    answers = tuple(
        a._replace(payload=form.shown(Content(a.header, a.payload)), packet=a.payload)
        for a in exchange.answers
    )
    return exchange._replace(payload=form.shown(Content(exchange.header, exchange.payload)), answers=answers)


def recorded(exchange: Exchange, form: Format) -> Exchange:
    """`exchange` as recordings have it, without replies that only say that there are no more."""
    request = form.shown(Content(exchange.header, exchange.payload))
    contents = [form.recorded(Content(a.header, a.payload)) for a in exchange.answers]
    answers = [Answer(a.rtt_ns, *content) for a, content in zip(exchange.answers, contents, strict=True)]
    if form.several and len(answers) > 1:
        answers = [answer for answer in answers if answer.header or answer.payload]
    return exchange._replace(payload=request, answers=tuple(answers))


def belongs(form: Format) -> Callable[[Message, Message], bool]:
    """Whether a message is a reply to a request, in a format."""
    return lambda request, reply: form.belongs(Content(*request[2:]), Content(*reply[2:]))


def with_own_replies(exchange: Exchange, form: Format) -> Exchange:
    """A recorded exchange without the replies that are none to its request, in a format."""
    request, answers = Content(exchange.header, exchange.payload), exchange.answers
    own = tuple(answer for answer in answers if form.belongs(request, Content(answer.header, answer.payload)))
    if len(own) == len(answers):
        return exchange
    problems = (read_problem(answer.header, answer.payload, exact(exchange.subject)) for answer in own)
    error = next(filter(None, problems), None)
    ended = Outcome.UNANSWERED if not own else Outcome.ANSWERED if error is None else Outcome.ERROR
    return exchange._replace(answers=own, error=error, outcome=ended)
