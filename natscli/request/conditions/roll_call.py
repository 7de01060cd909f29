"""`--expect-service`: which instances of a NATS service (ADR-32) have answered a request.

A reply does not say which instance it is from. But every instance counts the requests to each of its endpoints, and
tells how many those are: one whose count has not grown when the replies have come has not handled the request. Some
clients count a request when it comes, others when it was handled; the processing time grows when it was, but that of
some clients has milliseconds. So what is left open by both is decided by how many replies came. `pynats reply` says how
many requests it has answered, too, which leaves nothing open.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from natscli.connection.connection import Connection
from natscli.errors import PynatsError, UnexpectedError
from natscli.message.message import Message
from natscli.message.micro import ANSWERED, Endpoint, Instance, Verb, control_subject, read_response
from natscli.message.subjects import covers

#: Seconds after an answer in which another instance may answer.
_GAP = 0.3
#: Seconds that a handler may take to end, and be counted, after its reply; and between two looks.
_COUNTING, _LOOK = 0.5, 0.05


@dataclass(frozen=True)
class InstanceCounts:
    """What an instance has counted on a subject, each None if it does not say, and its queue group there.

    `requests`, the `spent` nanoseconds of processing them, and those that were `answered`, which only ours say.
    """

    instance: Instance
    requests: int | None
    spent: int | None
    queue: str
    answered: int | None = None

    @property
    def name(self) -> str:
        """The id of the instance, and what else tells a person which one it is."""
        known = [self.instance.version, *(f"{key}={value}" for key, value in self.instance.metadata.items())]
        said = ", ".join(filter(None, known))
        return f"{self.instance.id} ({said})" if said else self.instance.id


class RollCall:
    """Asks the instances of `service` before and after a request to `subject`, for `timeout` seconds each time."""

    def __init__(self, connection: Connection, service: str, subject: str) -> None:
        self._connection = connection
        self._service, self._subject = service, subject
        self._before: dict[str, InstanceCounts] = {}

    async def begin(self) -> None:
        """Find out whom the request will reach.

        Raises:
            PynatsError: no instance answers, none has an endpoint on the subject, or the connection is lost.
        """
        found = await self._ask(0, self._connection.timeout)
        self._before = on_subject(found, self._subject)
        if self._before:
            return
        what = f"no instance of service {self._service!r}"
        what += f" has an endpoint on [{self._subject}]" if found else " answers"
        raise UnexpectedError(what, where="--expect-service", hint=f"pynats service info {self._service}")

    async def end(self, replies: int) -> list[PynatsError]:
        """Who of them has not answered, when `replies` came; of a connection that was lost nobody knows.

        Raises:
            PynatsError: it is lost while they are asked.
        """
        if self._connection.lost.done():
            return []
        wanted = min(replies, len(self._before))
        deadline = asyncio.get_running_loop().time() + _COUNTING
        while True:
            after = on_subject(await self._ask(len(self._before), self._connection.timeout), self._subject)
            states = [state(one, after.get(one.instance.id)) for one in self._before.values()]
            counted = len(states) - states.count(Handled.NO)
            if counted >= wanted or asyncio.get_running_loop().time() > deadline:
                return [
                    UnexpectedError(text, where=self._subject)
                    for text in absent(self._service, list(self._before.values()), after, replies)
                ]
            await asyncio.sleep(_LOOK)

    async def _ask(self, expected: int, timeout: float) -> list[Instance]:
        """The instances that answer; no longer is waited when all that are `expected` have."""
        answers: asyncio.Queue[bytes | None] = asyncio.Queue()

        def take(batch: list[Message], arrived: int) -> None:  # noqa: ARG001
            for _, _, header, payload in batch:
                answers.put_nowait(payload if payload or not header else None)  # else it is a 503

        client = self._connection.client
        inbox = client.new_inbox()
        subscription = await client.subscribe_batches(inbox, "", take)
        client.send([(control_subject(Verb.STATS, self._service).encode(), inbox.encode(), None, b"")])
        found: dict[str, Instance] = {}
        try:
            wait = timeout
            while (answer := await self._connection.while_there(wait, answers.get())) is not None:
                instance = read_response(Verb.STATS, answer)
                if instance is not None and instance.name == self._service:
                    found[instance.id] = instance
                if len(found) == expected:
                    break
                wait = _GAP
        except asyncio.TimeoutError:
            pass
        await subscription.unsubscribe()
        return list(found.values())


def on_subject(instances: Sequence[Instance], subject: str) -> dict[str, InstanceCounts]:
    """What each of `instances` that has endpoints on `subject` has counted there, by its id."""
    found = {}
    for instance in instances:
        endpoints = [e for e in instance.endpoints if e.subject and covers(e.subject, subject)]
        if endpoints:
            found[instance.id] = InstanceCounts(
                instance,
                requests=_sum(e.num_requests for e in endpoints),
                spent=_sum(e.processing_time for e in endpoints),
                queue=endpoints[0].queue_group,
                answered=_sum(map(_answered, endpoints)),
            )
    return found


def _answered(endpoint: Endpoint) -> int | None:
    found = endpoint.data.get(ANSWERED) if isinstance(endpoint.data, dict) else None
    return found if type(found) is int else None


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(filter(None, known))


class Handled(Enum):
    """What the counts of an instance say."""

    YES = auto()
    PERHAPS = auto()
    """It got a request, which it may still be handling; or it does not say."""
    NO = auto()


def state(before: InstanceCounts, after: InstanceCounts | None) -> Handled:
    """Whether an instance has handled a request between the two; one that is gone has not."""
    if after is None or (before.requests is not None and after.requests == before.requests):
        return Handled.NO
    if before.answered is not None and after.answered is not None:
        return Handled.YES if after.answered > before.answered else Handled.NO
    if before.requests is None or before.spent is None or after.spent is None:
        return Handled.PERHAPS
    return Handled.YES if after.spent > before.spent else Handled.PERHAPS


def absent(
    service: str, expected: Sequence[InstanceCounts], after: Mapping[str, InstanceCounts], replies: int
) -> Iterator[str]:
    """What to say of those that have not answered, a text each; of a queue group, one member is to answer."""
    groups: defaultdict[str, list[InstanceCounts]] = defaultdict(list)
    for one in expected:
        groups[one.queue or one.instance.id].append(one)
    opened, handled = [], 0
    for members in groups.values():
        states = {state(one, after.get(one.instance.id)) for one in members}
        if Handled.YES in states:
            handled += 1
        elif Handled.PERHAPS in states:
            opened.append(members)
        else:
            yield _silent(service, members, after)
    missing = handled + len(opened) - replies
    if missing > 0 and missing == len(opened):
        yield from (_silent(service, members, after) for members in opened)
    elif missing > 0:
        names = ", ".join(one.name for members in opened for one in members)
        yield (
            f"{replies} {'reply' if replies == 1 else 'replies'} came, though {handled + len(opened)} instances of "
            f"service {service!r} got a request" + (f"; perhaps not from {names}" if names else "")
        )


def _silent(service: str, members: Sequence[InstanceCounts], after: Mapping[str, InstanceCounts]) -> str:
    names = ", ".join(one.name for one in members)
    if len(members) > 1:
        return f"none of service {service!r} in queue group {members[0].queue!r} answered: {names}"
    gone = "" if members[0].instance.id in after else ", and is gone"
    return f"an instance of service {service!r} did not answer{gone}: {names}"
