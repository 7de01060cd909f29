"""Requests and replies in the format of a framework, around a responder that knows nothing of it (`--format`)."""

from __future__ import annotations

import asyncio
from functools import partial

from natscli.message.formats.format import Asked, Content, Format
from natscli.message.message import Message
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder, Wrapper, reply_subject


class Formatted(Wrapper):
    """Gives what is in a request to the responder, and wraps its answers, all of a request together."""

    def __init__(self, inner: Responder, form: Format) -> None:
        super().__init__(inner)
        self.immediate = False
        self._form = form
        self._more: dict[int, list[Content]] = {}

    async def start(self, host: Host) -> None:
        self._loop = asyncio.get_running_loop()
        await super().start(host)

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
        self, one: Batch, asked: Asked, done: Done, _: Batch, replies: list[Message], failure: Failure | None,
        *, more: bool = False,
    ) -> None:  # fmt: skip
        contents = [Content(header, payload) for _, _, header, payload in replies]
        if more:
            self._more.setdefault(one.first, []).extend(contents)
            return
        before = self._more.pop(one.first, [])
        if before and self._form.several and contents == [Content(None, b"")]:
            contents = []  # it only says that there are no more, which the format has a way of its own for
        if before or contents:
            self._loop.call_soon(self._answer, one, asked, done, [*before, *contents], failure)
        else:
            done(one, [], failure)

    def _answer(
        self, one: Batch, asked: Asked, done: Done, contents: list[Content], failure: Failure | None
    ) -> None:
        to = reply_subject(one.requests[0])
        try:
            *before, last = self._form.replies(asked, contents)
        except ValueError as error:
            self._fail(one, done, asked, Failure(500, str(error)))
            return
        for content in before:
            done(one, [(to, b"", *content)], None, more=True)
        done(one, [(to, b"", *last)], failure)

    def _fail(self, one: Batch, done: Done, asked: Asked, failure: Failure) -> None:
        to, _, header, payload = failure.reply(one.requests[0])
        [content] = self._form.replies(asked, [Content(header, payload)])
        done(one, [(to, b"", *content)], failure)
