"""Requests and replies in the format of a framework, around a responder that knows nothing of it (`--format`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from natscli.message.formats.format import Asked, Content, Format
from natscli.message.message import Message
from natscli.reply.responders.responder import (
    Batch,
    Done,
    Failure,
    Host,
    Listen,
    Place,
    Responder,
    Wrapper,
    reply_subject,
)


class Formatted(Wrapper):
    """Gives what is in a request to the responder, and wraps its answers, each as it comes."""

    def __init__(self, inner: Responder, form: Format) -> None:
        super().__init__(inner)
        self.immediate = False
        self.places = tuple(_in_format(place, form) for place in inner.places)
        self._form = form
        #: Requests that have a reply and are not done, and why the format cannot hold one of their replies.
        self._begun: dict[int, str] = {}

    async def start(self, host: Host) -> None:
        self._loop = asyncio.get_running_loop()
        if host.listen is not None:
            host = replace(host, listen=partial(self._listen, host.listen))
        await super().start(host)

    async def _listen(self, listen: Listen, places: Mapping[int, Place]) -> None:
        await listen({index: _in_format(place, self._form) for index, place in places.items()})

    def respond(self, batch: Batch, done: Done) -> None:
        for one in batch.single():
            self._respond(one, done)

    def refusals(self, batch: Batch, failure: Failure) -> list[Message]:
        return [self._refusal(request, failure) for request in batch.requests]

    def _refusal(self, request: Message, failure: Failure) -> Message:
        _, _, header, payload = request
        try:
            asked = self._form.read_request(Content(header, payload))
        except ValueError:
            asked = Asked(payload)
        return self._wrapped(asked, failure.reply(request))

    def instead(self, reply: Message, failure: Failure) -> Message:
        error, asked = failure.instead(reply), self._form.asked_by(Content(*reply[2:]))
        return error if asked is None else self._wrapped(asked, error)

    def _wrapped(self, asked: Asked, reply: Message) -> Message:
        to, _, header, payload = reply
        return (to, b"", *self._form.reply(asked, Content(header, payload)))

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
        answer = self._part if more else self._last
        self._loop.call_soon(answer, one, asked, done, replies, failure)

    def _part(
        self, one: Batch, asked: Asked, done: Done, replies: list[Message], failure: Failure | None
    ) -> None:
        """Send some of several replies."""
        for _, look, header, payload in replies:
            wrong = self._begun.get(one.first)
            if not wrong:
                try:
                    content = self._form.reply(
                        asked, Content(header, payload), first=wrong is None, last=False
                    )
                except ValueError as error:
                    self._begun[one.first] = str(error)
                    continue
                self._begun[one.first] = ""
                done(one, [(reply_subject(one.requests[0]), look, *content)], failure, more=True)

    def _last(
        self, one: Batch, asked: Asked, done: Done, replies: list[Message], failure: Failure | None
    ) -> None:
        """Send the last reply, or the only one."""
        wrong = self._begun.pop(one.first, None)
        contents = [Content(header, payload) for _, _, header, payload in replies]
        if wrong is not None and self._form.several and failure is None:
            contents = contents or [Content(None, b"")]  # it is told in each case that there are no more
        try:
            if wrong:
                raise ValueError(wrong)
            wrapped = [self._form.reply(asked, content, first=wrong is None) for content in contents]
        except ValueError as error:
            self._fail(one, done, asked, Failure(500, str(error)))
            return
        to = reply_subject(one.requests[0])
        done(one, [(to, b"", *content) for content in wrapped], failure)

    def _fail(self, one: Batch, done: Done, asked: Asked, failure: Failure) -> None:
        done(one, [self._wrapped(asked, failure.reply(one.requests[0]))], failure)


def _in_format(place: Place, form: Format) -> Place:
    return place._replace(subject=form.subject(place.subject))
