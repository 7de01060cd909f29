"""Exchanges as a format has them: what is in the messages of a framework (`--format`)."""

from __future__ import annotations

from collections.abc import Sequence

from natscli.message.exchange import Exchange
from natscli.message.formats.format import Content, Format
from natscli.output.pump import Rendered
from natscli.watch.show.exchanges import RenderExchanges


def in_format(render: RenderExchanges, form: Format) -> RenderExchanges:
    """`render`, for exchanges whose payloads are in a format; what is in no packet of it is shown as it is."""

    def show(exchanges: Sequence[Exchange]) -> Rendered:
        return render([opened(exchange, form) for exchange in exchanges])

    return show


def opened(exchange: Exchange, form: Format) -> Exchange:
    """`exchange` with what is in its messages as their payloads."""
    answers = tuple(a._replace(payload=form.shown(Content(a.header, a.payload))) for a in exchange.answers)
    return exchange._replace(payload=form.shown(Content(exchange.header, exchange.payload)), answers=answers)
