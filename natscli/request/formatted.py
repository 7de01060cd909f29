"""Requests in the format of a framework: wrapped before they are sent, and what comes unwrapped (`--format`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from natscli.errors import ErrorReplyError
from natscli.message import headers
from natscli.message.formats.format import Content, Format
from natscli.message.recipe import Outgoing, Recipe
from natscli.message.source import Source
from natscli.message.status import read_problem
from natscli.request.again import Ongoing
from natscli.request.options import Expectation, RequestOptions
from natscli.request.requester import Requester


@dataclass(frozen=True)
class InFormat:
    """A source whose requests are wrapped; see `Source`."""

    source: Source
    form: Format

    def start(self, wake: Callable[[], None]) -> None:
        """See `Source`."""
        self.source.start(wake)

    def take(self, most: int) -> list[Outgoing]:
        """See `Source`: one at a time, as one that cannot be wrapped ends the run, but not those before it."""
        return [wrapped(request, self.form) for request in self.source.take(min(most, 1))]

    @property
    def exhausted(self) -> bool:
        """See `Source`."""
        return self.source.exhausted


def wrapped(request: Outgoing, form: Format) -> Outgoing:
    """`request` in the format.

    Raises:
        InputError: the format cannot hold its payload.
    """
    content = form.request(request.subject, request.number, Content(request.header, request.payload))
    return request._replace(header=content.header, payload=content.payload)


def check(recipe: Recipe, form: Format) -> None:
    """Refuse, before anything connects, a first request that the format cannot hold.

    Raises:
        InputError: it cannot.
    """
    wrapped(recipe.make(1), form)


def expecting(expectation: Expectation, options: RequestOptions, form: Format, timeout: float) -> Expectation:
    """`expectation`, and what the format knows: whether there is a last reply, and why there may be none."""
    expectation = expectation.replace(silence=form.silence)
    if not form.several or options.many_replies:
        return expectation
    gap = expectation.gap if options.reply_timeout is not None else timeout
    return expectation.replace(first=timeout, gap=gap, until_empty=True, last="last one")


class FormattedRequester(Requester):
    """Takes replies for what they are in a format. What ends several replies is passed on as an empty one."""

    form: Format

    def _take_together(self, *_: object) -> bool:
        return False  # each may be a part of what its request waits for

    def _on_reply(
        self, ongoing: Ongoing, header: bytes | None, payload: bytes, arrived: int, came: float,
        subject: bytes = b"", reply_to: bytes = b"", packet: bytes = b"",
    ) -> None:  # fmt: skip
        from_server = header is not None and headers.status(header)
        if from_server or self._is_end(ongoing, header, payload):
            super()._on_reply(ongoing, header, payload, arrived, came, subject, reply_to, packet)
            return
        piece = self.form.read_reply(ongoing.request.number, Content(header, payload))
        if piece is None:
            return
        asked = ongoing.request.subject
        if piece.problem is not None and piece.problem != read_problem(header, payload, asked):
            ongoing.error = ongoing.error or ErrorReplyError(str(piece.problem), where=asked)
        ends = piece.last and self._expect.until_empty and self.form.several
        if piece.payload or (piece.payload is not None and not ends):
            super()._on_reply(ongoing, header, piece.payload, arrived, came, subject, reply_to, payload)
        if ends:
            # One that ends without any value is shown even so: it is an answer.
            block = None if ongoing.replies else header or b""
            super()._on_reply(ongoing, block, b"", arrived, came, subject, reply_to)

    def _is_end(self, ongoing: Ongoing, header: bytes | None, payload: bytes) -> bool:
        """Whether a reply is the empty one that ends several; a format with an end of its own has none."""
        if payload or self.form.several:
            return False
        return self._expect.until_empty or (header is None and ongoing.replies > 0)
