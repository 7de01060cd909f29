"""`--where`: a Python expression that is true of the exchanges to show, with the names of `request --expect`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from natscli.message.exchange import Exchange
from natscli.message.expressions import FailedExpressionError, MessageView, compile_expression
from natscli.text import exact, for_programs


class ExchangeView(MessageView):
    """An exchange as expressions see it: the names of its first reply, and `request`, `reply`, `outcome`.

    `reply` and `rtt` are None without a reply.
    """

    NAMES = (*MessageView.NAMES, "outcome", "reply", "request", "rtt", "subject")

    def __init__(self, exchange: Exchange) -> None:
        first = exchange.answers[0] if exchange.answers else None
        asked = exact(exchange.subject)
        content = (None, b"") if first is None else (first.header, first.payload)
        packet = b"" if first is None else first.packet
        super().__init__(*content, asked, packet)
        self.outcome = exchange.outcome.value
        self.rtt = None if first is None else first.rtt_ns / 1e9
        self.reply = None if first is None else MessageView(*content, asked, packet)
        self._exchange = exchange

    @cached_property
    def request(self) -> MessageView:
        """The request."""
        return MessageView(self._exchange.header, self._exchange.payload)

    @cached_property
    def subject(self) -> str:
        """The subject of the request."""
        return for_programs(self._exchange.subject)


def where(text: str) -> Callable[[Exchange], bool]:
    """Whether the expression `text` is true of an exchange; one that cannot be evaluated is not.

    Raises:
        InputError: it is no expression, or has an unknown name.
    """
    expression = compile_expression(text, ExchangeView.NAMES, "--where")

    def holds(exchange: Exchange) -> bool:
        try:
            return expression.is_true(ExchangeView(exchange))
        except FailedExpressionError:
            return False

    return holds
