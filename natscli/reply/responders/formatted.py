"""Requests and replies in the format of a framework, around a responder that knows nothing of it (`--format`)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from natscli.message.formats.format import Asked, Content, Format
from natscli.message.message import Message
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder, Wrapper


class Formatted(Wrapper):
    """Gives what is in a request to the responder, and wraps its answers, all that it gives at once together."""

    def __init__(self, inner: Responder, form: Format) -> None:
        super().__init__(inner)
        self.immediate = False
        self._form = form
        self._more: dict[bytes, list[Content]] = {}

    async def start(self, host: Host) -> None:
        self._loop = asyncio.get_running_loop()
        self._send = host.send
        await super().start(replace(host, send_instead=self._keep))

    def respond(self, batch: Batch, done: Done) -> None:
        for one in batch.single():
            self._respond(one, done)

    def _respond(self, one: Batch, done: Done) -> None:
        [(subject, reply, header, payload)] = one.requests
        try:
            asked = self._form.read_request(Content(header, payload))
        except ValueError as error:
            self._fail(one, done, Asked(payload), Failure(400, str(error)))
            return
        opened = one._replace(requests=[(subject, reply, header, asked.payload)])
        self.inner.respond(opened, partial(self._done, one, asked, done))

    def _done(
        self, one: Batch, asked: Asked, done: Done, _: Batch, replies: list[Message], failure: Failure | None
    ) -> None:
        if not replies:
            done(one, [], failure)
            return
        [(to, _reply, header, payload)] = replies
        self._more[to] = [Content(header, payload)]
        self._loop.call_soon(
            self._answer, one, asked, done, to, failure
        )  # when what is sent beside it came too

    def _keep(self, messages: list[Message]) -> None:
        """Keep the further answers to requests that are being answered, instead of sending them."""
        for to, _, header, payload in messages:
            self._more[to].append(Content(header, payload))

    def _answer(self, one: Batch, asked: Asked, done: Done, to: bytes, failure: Failure | None) -> None:
        try:
            first, *more = self._form.replies(asked, self._more.pop(to))
        except ValueError as error:
            self._fail(one, done, asked, Failure(500, str(error)))
            return
        done(one, [(to, b"", *first)], failure)
        if more:
            self._send([(to, b"", *content) for content in more])

    def _fail(self, one: Batch, done: Done, asked: Asked, failure: Failure) -> None:
        to, _, header, payload = failure.reply(one.requests[0])
        [content] = self._form.replies(asked, [Content(header, payload)])
        done(one, [(to, b"", *content)], failure)
