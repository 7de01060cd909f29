"""`--expect` and `--query`: Python expressions on each reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from natscli.errors import PynatsError, UnexpectedError
from natscli.message.expressions import (
    Expression,
    FailedExpressionError,
    MessageView,
    as_bytes,
    compile_expression,
)
from natscli.message.recipe import Outgoing
from natscli.request.events import Observer, Received
from natscli.request.options import RequestOptions

if TYPE_CHECKING:
    import asyncio


class ReplyView(MessageView):
    """A reply as expressions see it."""

    NAMES = (*MessageView.NAMES, "rtt", "subject")

    def __init__(self, reply: Received) -> None:
        super().__init__(reply.header, reply.payload, reply.subject, reply.packet)
        self.subject = reply.subject
        self.rtt = reply.rtt_ns / 1e9
        """Seconds."""


class Judge:
    """Says what is wrong with a reply: the first expression that is not true on it.

    `of_errors` is whether one of them names `error` or `status`; then an error is no failure by itself.
    """

    def __init__(self, expressions: Sequence[Expression]) -> None:
        self.of_errors = any(
            not expression.names.isdisjoint(("error", "status")) for expression in expressions
        )
        self._expressions = expressions

    def __call__(self, reply: Received) -> PynatsError | None:
        """The failure of `reply`, if it is one."""
        view = ReplyView(reply)
        for expression in self._expressions:
            failure = expression.expect(view, reply.subject)
            if failure is not None:
                return failure
        return None


def judge(options: RequestOptions) -> Judge | None:
    """What --expect says of replies.

    Raises:
        InputError: no expression.
    """
    if not options.expect:
        return None
    return Judge([compile_expression(text, ReplyView.NAMES, "--expect") for text in options.expect])


def query(options: RequestOptions) -> Expression | None:
    """What --query makes of replies.

    Raises:
        InputError: no expression.
    """
    return None if options.query is None else compile_expression(options.query, ReplyView.NAMES, "--query")


class Queried:
    """Has `observer` show what `expression` gives on each reply, not its payload; says what is wrong as `judge` does.

    Each reply is to be judged, and then shown.
    """

    def __init__(self, observer: Observer, expression: Expression, judge: Judge | None) -> None:
        self.broken: asyncio.Future[PynatsError] = observer.broken
        self.catch_up: Callable[[int], None] = observer.catch_up
        self.is_behind: Callable[[], bool] = observer.is_behind
        self.sending: Callable[[Sequence[Outgoing]], None] = observer.sending
        self.failed: Callable[[Sequence[Outgoing], PynatsError], None] = observer.failed
        self.of_errors = judge is not None and judge.of_errors
        self._judge = judge
        self._observer = observer
        self._expression = expression
        self._payload: bytes | None = None

    def __call__(self, reply: Received) -> PynatsError | None:
        """The failure of `reply`, if it is one: that it is not as expected, or that the expression gives nothing."""
        unexpected = self._judge(reply) if self._judge is not None else None
        try:
            self._payload = as_bytes(self._expression.value(ReplyView(reply)))
        except FailedExpressionError as error:
            self._payload = None
            failure = UnexpectedError(f"--query {self._expression.text}: {error}", where=reply.subject)
            return unexpected or failure
        return unexpected

    def replies(self, replies: Sequence[Received]) -> None:
        """See `Observer`; what was judged last is shown."""
        if self._payload is not None:
            shown = [reply._replace(payload=self._payload, packet=reply.said) for reply in replies]
            self._observer.replies(shown)
