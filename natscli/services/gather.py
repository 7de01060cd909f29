"""Finds services (ADR-32): asks all, those of a name or one instance, and gathers what they answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from natscli.connection.connection import Connection
from natscli.duration import format_duration
from natscli.errors import NoReplyError, NoRespondersError, PynatsError
from natscli.message.micro import Instance, Verb, control_subject, read_response
from natscli.message.recipe import Outgoing as Question
from natscli.request.events import Received
from natscli.request.options import Expectation
from natscli.request.requester import Requester


class Located(NamedTuple):
    """An instance of a service, and nanoseconds to its answer."""

    instance: Instance
    rtt_ns: int


@dataclass(frozen=True)
class Inquiry:
    """Whom to ask for what: all services, those called `name`, or the one instance with `id`. `wait` in seconds."""

    verb: Verb
    name: str = ""
    id: str = ""
    wait: float = 2.0

    @property
    def subject(self) -> str:
        """Where to ask."""
        return control_subject(self.verb, self.name, self.id)

    @property
    def expectation(self) -> Expectation:
        """All that answer in time; one instance answers once."""
        return Expectation(replies=1 if self.id else 0, first=self.wait, gap=self.wait)


class Questions:
    """Asks the same every `pause` seconds, or once; a `request.source.Source`. `asked` is how often it did."""

    def __init__(self, subject: str, pause: float | None = None) -> None:
        self._subject = subject
        self._pause = pause
        self.asked = 0
        self._next = 0.0
        self._wake: Callable[[], None] = lambda: None

    def start(self, wake: Callable[[], None]) -> None:
        """See `Source`."""
        self._wake = wake

    def take(self, most: int) -> list[Question]:  # noqa: ARG002
        """See `Source`."""
        now = time.monotonic()
        if self.exhausted or now < self._next:
            return []
        self.asked += 1
        if self._pause is not None:
            self._next = now + self._pause
            asyncio.get_running_loop().call_later(self._pause, self._wake)
        return [Question(self.asked, self._subject, None, b"")]

    @property
    def exhausted(self) -> bool:
        """See `Source`."""
        return self._pause is None and self.asked > 0


class Gathering:
    """Keeps the last answer of each instance, by its id; a `request.events.Observer`.

    `strange` is how many answers were none, or came from another service than the one called `name`.
    """

    def __init__(self, verb: Verb, name: str = "", broken: asyncio.Future[PynatsError] | None = None) -> None:
        """`broken` is done when nothing can be shown any more."""
        self.broken = broken or asyncio.get_running_loop().create_future()
        self.strange = 0
        self.failure: PynatsError | None = None
        self._verb = verb
        self._name = name
        self._found: dict[tuple[str, str], tuple[Located, int]] = {}

    def catch_up(self, in_flight: int) -> None:
        """See `Observer`."""

    def is_behind(self) -> bool:
        """See `Observer`."""
        return False

    def sending(self, questions: Sequence[Question]) -> None:
        """See `Observer`."""

    def replies(self, replies: Sequence[Received]) -> None:
        """See `Observer`."""
        for reply in replies:
            self._reply(reply)

    def failed(self, questions: Sequence[Question], error: PynatsError) -> None:  # noqa: ARG002
        """See `Observer`."""
        self.failure = error

    def found(self, since: int = 1) -> list[Located]:
        """The instances that answered round `since` or a later one, sorted by name and id."""
        return [found for _, (found, number) in sorted(self._found.items()) if number >= since]

    def _reply(self, reply: Received) -> None:
        instance = read_response(self._verb, reply.payload)
        if instance is None or self._name not in ("", instance.name):
            self.strange += 1
            return
        key = instance.name, instance.id
        if key not in self._found or self._found[key][1] != reply.request:  # the first of several counts
            self._found[key] = Located(instance, reply.rtt_ns), reply.request


async def gather(connection: Connection, inquiry: Inquiry) -> Gathering:
    """Ask once, and wait for the answers.

    Raises:
        PynatsError: NoRespondersError if there is no such service, NoReplyError if none answered in time, or what else
            went wrong.
    """
    gathering = Gathering(inquiry.verb, inquiry.name)
    await Requester(connection, Questions(inquiry.subject), inquiry.expectation, gathering).run()
    if gathering.found():
        return gathering
    what = f"no service {inquiry.name!r}" if inquiry.name else "no service"
    what += f" with the id {inquiry.id!r}" if inquiry.id else ""
    if isinstance(gathering.failure, NoRespondersError):
        raise NoRespondersError(f"{what} found", where=inquiry.subject)
    if gathering.failure is None or isinstance(gathering.failure, NoReplyError):
        ignored = f", invalid answers ignored: {gathering.strange}" if gathering.strange else ""
        within = format_duration(inquiry.wait)
        raise NoReplyError(f"{what} answered within {within}{ignored}", where=inquiry.subject)
    raise gathering.failure
