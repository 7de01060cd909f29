"""What answers requests: the one interface of all responders, and of what is wrapped around one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from natscli.message import headers
from natscli.message.message import Message
from natscli.text import replaced

if TYPE_CHECKING:
    from natscli.connection.connection import Connection
    from natscli.environment import Environment
    from natscli.message.exchange import Outcome

K = TypeVar("K")


class Batch(NamedTuple):
    """Consecutive requests, that came to one of the places where a responder listens. Each has a reply subject.

    The number of the first, when they arrived (nanoseconds of `time.perf_counter_ns`), and the index of the place; or
    `places`, that of each request, where they came to several.
    """

    requests: list[Message]
    first: int
    arrived: int
    place: int = 0
    places: tuple[int, ...] = ()

    @property
    def numbers(self) -> range:
        """The numbers of the requests."""
        return range(self.first, self.first + len(self.requests))

    def single(self) -> Iterator[Batch]:
        """Each request as a batch of its own."""
        places = self.places or repeat(self.place)
        for number, request, place in zip(self.numbers, self.requests, places, strict=False):
            yield Batch([request], number, self.arrived, place)

    def runs(self, kinds: Iterable[K]) -> Iterator[tuple[K, Batch]]:
        """Split into consecutive requests of one kind: `kinds` has a kind for each request."""
        start = 0
        for kind, run in groupby(kinds):
            end = start + sum(1 for _ in run)
            yield kind, batch(self.requests[start:end], self.first + start, self.arrived,
                              self.places[start:end] or (self.place,))  # fmt: skip
            start = end


def batch(requests: list[Message], first: int, arrived: int, places: tuple[int, ...]) -> Batch:
    """A batch of requests that came to `places`, one for each of them or one for all."""
    if places[0] == places[-1] and places.count(places[0]) == len(places):
        return Batch(requests, first, arrived, places[0])
    return Batch(requests, first, arrived, places=places)


@dataclass(frozen=True)
class Failure:
    """Why requests were answered with an error: the code and the text that the requester got (ADR-32).

    `notice` is what the log says of it: the text, unless something else is given; nothing when it is empty. Its first
    line names the request, more lines are logged as those of a trace.
    """

    code: int
    text: str
    notice: str | None = None

    def reply(self, request: Message, payload: bytes = b"") -> Message:
        """The reply to `request` that says so."""
        return request[1], b"", headers.service_error(self.text, self.code), payload

    def instead(self, reply: Message) -> Message:
        """What says so in place of `reply`."""
        return reply[0], b"", headers.service_error(self.text, self.code), b""


@dataclass(frozen=True)
class OwnFailure(Failure):
    """An error that the service which requests are passed on to has not said.

    `outcome` is what that service did instead, none of which is a reply; None where it was not asked.
    """

    outcome: Outcome | None = None


def reported(code: str, text: str) -> Failure:
    """The error that a reply says, or its status: it is counted, and not worth a line of the log."""
    # A service may send any code; Python makes no number of thousands of digits.
    number = int(code) if code.isascii() and code.isdecimal() and len(code) < 10 else 500
    return Failure(number, replaced(text), notice="")


class Place(NamedTuple):
    """Where a responder listens: a subject, a queue group unless it is that of the run, and its name as an endpoint."""

    subject: str
    queue: str | None = None
    name: str = ""


class Done(Protocol):
    """What a responder calls with requests that are done.

    It gives a reply for each in their order (or none at all: they are not answered), and what went wrong with them.
    With `more`, the batch is a single request that is not done yet: the replies are some of several.
    """

    def __call__(
        self, batch: Batch, replies: list[Message], failure: Failure | None, /, *, more: bool = False
    ) -> object: ...


#: Listens on these places from now on, by their indices, and on no others.
Listen = Callable[[Mapping[int, Place]], Awaitable[None]]


@dataclass(frozen=True)
class Host:
    """What a responder may use: the connection (`connection.client`) and the log (`environment`).

    `listen` changes where requests come from; None where the subject is given, or the responder is not listened for.
    """

    connection: Connection
    environment: Environment
    listen: Listen | None = None

    @property
    def max_payload(self) -> int:
        """Bytes of a reply, headers included, that the server takes now."""
        return int(self.connection.client.max_payload)


class Responder(ABC):
    """Answers requests.

    All methods are called in the event loop, and `done` must be. An `immediate` responder calls `done` before
    `respond` returns; any other may do so later, in any order and for any part of a batch, and the requests count as
    pending until then.
    """

    immediate = False
    #: Whether what it is done with says to which place it came, and whether it takes requests of several places in one
    #: batch, which may change. Neither is for an `immediate` one.
    tells_places = mixes = False
    #: Where to listen when no subject is given.
    places: tuple[Place, ...] = ()

    async def start(self, host: Host) -> None:  # noqa: B027
        """Prepare, before anything is subscribed to.

        Raises:
            PynatsError: it cannot answer.
        """

    @abstractmethod
    def respond(self, batch: Batch, done: Done) -> None:
        """Answer each request of `batch`, now or later: call `done` exactly once for each. Must not block or raise."""

    def refusals(self, batch: Batch, failure: Failure) -> list[Message]:
        """The replies to requests that it is not asked to answer, because of `failure`."""
        return [failure.reply(request) for request in batch.requests]

    def instead(self, reply: Message, failure: Failure) -> Message:
        """What goes in place of `reply`, which is perhaps one of its own and more than the server takes."""
        return failure.instead(reply)

    def asked_instead(self, subject: bytes) -> bytes:
        """The subject of the service that requests on `subject` are passed on to, or else itself."""
        return subject

    def drain(self) -> None:  # noqa: B027
        """No more requests come, and what is pending is waited for: whatever can take long gets a limit now."""

    def answered_elsewhere(self, requests: list[Message]) -> None:  # noqa: B027
        """Something else is about to answer these: a refusal may be about its replies."""

    def refused(self, text: str) -> bool:  # noqa: ARG002
        """A reply, or a subscription, was not permitted, as the server says in `text`, with the subject in quotes.

        Gives whether it was one without which it can go on answering.
        """
        return False

    def undelivered(self, subject: bytes) -> None:  # noqa: B027
        """A reply to `subject` did not go out as it was: it was more than the server takes."""

    async def finish(self) -> None:  # noqa: B027
        """End in order; called after draining, when nothing is pending."""

    async def close(self) -> None:  # noqa: B027
        """Give back what `start` took; called last, also after a failure, but not when stopped for a second time.

        Raises:
            PynatsError: it could not.
        """

    def kill(self) -> None:  # noqa: B027
        """Stop what is still being done, at once; called at the end in any case, perhaps without `start`."""


class Wrapper(Responder):
    """Something around a responder, itself one: it may delay, answer in its place, or look at what it answers."""

    def __init__(self, inner: Responder) -> None:
        self.inner = inner
        self.immediate = inner.immediate
        self.places = inner.places

    async def start(self, host: Host) -> None:
        await self.inner.start(host)

    def respond(self, batch: Batch, done: Done) -> None:
        self.inner.respond(batch, done)

    def asked_instead(self, subject: bytes) -> bytes:
        return self.inner.asked_instead(subject)

    def drain(self) -> None:
        self.inner.drain()

    def answered_elsewhere(self, requests: list[Message]) -> None:
        self.inner.answered_elsewhere(requests)

    def refused(self, text: str) -> bool:
        return self.inner.refused(text)

    def undelivered(self, subject: bytes) -> None:
        self.inner.undelivered(subject)

    async def finish(self) -> None:
        await self.inner.finish()

    async def close(self) -> None:
        await self.inner.close()

    def kill(self) -> None:
        self.inner.kill()


#: The reply subject of a message.
reply_subject = itemgetter(1)


def fail(batch: Batch, done: Done, failure: Failure) -> None:
    """Answer all of `batch` with an error."""
    done(batch, [failure.reply(request) for request in batch.requests], failure)
