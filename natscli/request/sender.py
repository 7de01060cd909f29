"""Writes requests: checks what the server would not take, gives each its inbox, and counts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING

from natscli.errors import InputError
from natscli.message.message import Message
from natscli.message.recipe import Outgoing
from natscli.message.subjects import check_publish_subject, is_pull
from natscli.request.again import Ongoing
from natscli.request.statistics import Statistics
from natscli.wire.client import Client

if TYPE_CHECKING:
    from natscli.connection.own_inboxes import OwnInboxes


class Sender:
    """Sends with the inboxes below `prefix`.

    `on_own` gets the replies to a request with an inbox of its own.
    """

    def __init__(
        self, client: Client, statistics: Statistics, on_own: Callable[[bytes, list[Message], int], None]
    ) -> None:
        self.prefix = b""
        self._client = client
        self._statistics = statistics
        self._on_own = on_own
        self._own: OwnInboxes | None = None
        self._checked_subject = ""
        self._some_pull = False
        #: Whether a request has an inbox of its own.
        self.has_own = False

    def check(self, requests: Sequence[Outgoing]) -> tuple[int, InputError | None]:
        """How many of `requests` come before the first that the server would not take, and why it would not.

        It takes no subject that nothing can be sent to, no more bytes than its limit, some no headers.
        """
        count = len(requests)
        if count == 1:
            _, subject, block, payload = requests[0]
            usual = (
                subject == self._checked_subject and not block and len(payload) <= self._client.max_payload
            )
            return (1, None) if usual else self._checked(requests)
        _, subjects, blocks, payloads = zip(*requests, strict=True)
        usual = subjects.count(self._checked_subject) == count and not any(blocks)
        if usual and max(map(len, payloads)) <= self._client.max_payload:
            return count, None
        return self._checked(requests)

    def _checked(self, requests: Sequence[Outgoing]) -> tuple[int, InputError | None]:
        for place, request in enumerate(requests):
            try:
                self._check(request)
            except InputError as error:
                return place, error
        return len(requests), None

    def _check(self, request: Outgoing) -> None:
        if request.subject != self._checked_subject:
            check_publish_subject(request.subject)
            self._checked_subject = request.subject
            self._some_pull = self._some_pull or is_pull(request.subject)
        if why := self._client.unfit(request.header, request.payload):
            raise InputError(f"the request {why}")

    def fitting(
        self, again: list[Ongoing], fail: Callable[[list[Ongoing], InputError], None]
    ) -> list[Ongoing]:
        """Those that can be sent `again`: another server may take less than the one before. `fail` gets the others."""
        fitting: list[Ongoing] = []
        for ongoing in again:
            try:
                self._check(ongoing.request)
            except InputError as error:
                fail([ongoing], error)
            else:
                fitting.append(ongoing)
        return fitting

    def send(self, batch: list[Ongoing], tokens: Sequence[bytes], *, due: bool) -> None:
        """Write the requests at once, with these tokens of inboxes.

        `due` is whether their latency counts from when they were due.
        """
        messages: list[Message] = []
        prefix = self.prefix
        sent = again = size = 0
        for ongoing, token in zip(batch, tokens, strict=True):
            request, ongoing.token = ongoing.request, token
            header, payload = request.header, request.payload
            messages.append((request.subject.encode(), prefix + token, header, payload))
            ongoing.attempts += 1
            if ongoing.counted:
                if ongoing.attempts == 1:
                    sent += 1
                else:
                    again += 1
                size += len(payload) + (len(header) if header else 0)
        now = perf_counter_ns()
        for ongoing in batch:
            if not due or not ongoing.start_ns:
                ongoing.start_ns = now
        statistics = self._statistics
        if sent:
            statistics.started = statistics.started or batch[0].start_ns
        statistics.sent += sent
        statistics.retried += again
        statistics.bytes_sent += size
        if self._some_pull:
            messages = [m for m, p in zip(messages, batch, strict=True) if not self._sent_alone(p, m)]
        self._client.send(messages)

    def forget(self, ongoing: Ongoing) -> None:
        """Take no more replies to a request with an inbox of its own."""
        if self._own is not None:
            self._own.close(ongoing.token)

    def is_inbox(self, token: bytes, subject: bytes) -> bool:
        """Whether `subject` is the inbox that the request of `token` has of its own, not the subject of a stream."""
        return self._own is not None and subject == self._own.inbox(token)

    def _sent_alone(self, ongoing: Ongoing, message: Message) -> bool:
        """Send a request whose replies only a subscription of its own tells apart; False for any other."""
        if not is_pull(ongoing.request.subject):
            return False
        from natscli.connection.own_inboxes import OwnInboxes

        self._own = self._own or OwnInboxes(self._client, self._on_own)
        self.has_own = True
        self._own.send(ongoing.token, message)
        return True
