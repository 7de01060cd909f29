"""Matches replies to requests, whatever the order they are seen in: pure, and bounded in memory.

A message is a reply if its subject is the reply subject of an open exchange, or if it was pulled (`pulls`). A reply
that is seen before its request, as happens in a cluster where they come by different ways, is held for a moment.
What cannot be matched is counted.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from natscli.message import headers
from natscli.message.exchange import Answer, Exchange, Outcome
from natscli.message.message import Message, memory
from natscli.message.status import ReplyProblem, read_problem
from natscli.message.subjects import ACKNOWLEDGED, is_pull
from natscli.text import exact
from natscli.watch.inboxes import Inboxes
from natscli.watch.pulls import Pulls

#: Bytes of memory that an open exchange takes besides its messages.
_OPEN = 300
_SECOND = 1_000_000_000
#: Shares of the exchanges are parts of this.
WHOLE = 1 << 20


@dataclass(frozen=True)
class MatchLimits:
    """How long and how much. Nanoseconds: `timeout` for a first reply, `gap` from one reply to the next, `hold` for a
    reply whose request was not seen yet. Bytes and numbers: `size` of all that is kept, `held` replies, `replies` to
    one request, `ended` exchanges that are remembered to know their late replies.
    """

    timeout: int = 5 * _SECOND
    gap: int = 300_000_000
    hold: int = _SECOND
    size: int = 16 * 1024 * 1024
    held: int = 4096
    held_size: int = 4 * 1024 * 1024
    replies: int = 1000
    ended: int = 10_000


@dataclass
class Counts:
    """Requests that were `followed`, and everything that is in no exchange, by the reason.

    Requests not followed: `sampled` out as asked for; `shed` because they came too fast; `crowded` out because too
    much was open; `shared` the reply subject of an open one; `outside` of the inboxes that are seen. `interrupted` were
    open when the connection was lost, or at the end. Replies: `strays` to requests that were not seen, `late` ones
    after the end of their exchange. `published` are messages without a reply subject.
    """

    followed: int = 0
    sampled: int = 0
    shed: int = 0
    crowded: int = 0
    shared: int = 0
    outside: int = 0
    interrupted: int = 0
    strays: int = 0
    late: int = 0
    published: int = 0


class Open:
    """An exchange that may get more replies."""

    __slots__ = ("answers", "arrived", "came", "deadline", "error", "message", "nobody", "number", "size")

    def __init__(self, number: int, message: Message, arrived: int, came: float) -> None:
        self.number = number
        self.message = message
        self.arrived = arrived
        self.came = came
        self.size = _size(message)
        self.answers: list[Answer] = []
        self.error: ReplyProblem | None = None
        self.deadline = 0
        self.nobody = False  # the servers say that nobody subscribes

    def ended(self, outcome: Outcome | None) -> Exchange:
        """What is known of it; without an `outcome` that of its replies."""
        outcome = outcome or (Outcome.ANSWERED if self.error is None else Outcome.ERROR)
        return Exchange(self.number, self.came, *self.message, tuple(self.answers), outcome, self.error)


class Matcher:
    """Takes messages as they are seen, gives exchanges as they end. All times in nanoseconds of one clock.

    Whether an exchange is followed depends on its reply subject only, so that a request and its replies are in or out
    together: `asked` of `WHOLE` are wanted, `share` of it are followed now.

    `inboxes` knows which subjects are seen; `own` is the inbox of the watcher itself, whose requests are not shown.
    `belongs` is whether a message to the reply subject of a request is a reply to it, where that has to be looked at.
    """

    def __init__(
        self,
        limits: MatchLimits,
        inboxes: Inboxes,
        own: bytes = b" ",
        asked: int = WHOLE,
        belongs: Callable[[Message, Message], bool] | None = None,
    ) -> None:
        self.counts = Counts()
        self._inboxes = inboxes
        self._own = own
        self._belongs = belongs
        self.asked = self.share = asked
        self._limits = limits
        self._number = 0
        self._size = self._finished_size = 0
        self._open: dict[bytes, Open] = {}  # in the order of the requests
        self._answered: deque[tuple[int, Open]] = deque()
        self._unchecked: deque[tuple[int, bytes, int]] = deque()  # not the exchanges: they may have ended
        self._held: dict[bytes, list[tuple[int, Message]]] = {}
        self._held_order: deque[tuple[int, Message]] = deque()
        self._held_size = 0
        # Of a dict whose first is taken out again and again, the first is searched for: behind all that were.
        self._ended: OrderedDict[bytes, None] = OrderedDict()
        self._finished: list[Exchange] = []
        self._pulls = Pulls()

    @property
    def full(self) -> bool:
        """Whether `take` should be called before it is due."""
        return self._size + self._finished_size > self._limits.size // 2

    def messages(self, batch: list[Message], arrived: int, came: float) -> None:
        """Take what was seen in one read: requests and replies. `came` is when, in seconds since 1970."""
        opened, is_inbox = self._open, self._inboxes.has
        for message in batch:
            exchange = opened.get(message[0])
            # What asks for a reply itself is one only on an inbox: anybody can name a watched subject for replies.
            if exchange is not None and (not message[1] or is_inbox(message[0])):
                self._add(exchange, message, arrived)
            elif is_inbox(message[0]):
                if hash(message[0]) % WHOLE < self.share and not message[0].startswith(self._own):
                    self._hold(message, arrived)
            elif not message[1] or message[1].startswith(ACKNOWLEDGED):
                exchange = opened.get(self._pulls.answered_by(message))
                if exchange is not None:
                    self._add(exchange, message, arrived)
                else:
                    self.counts.published += 1
            else:
                self._request(message, arrived, came)

    def take(self, now: int) -> list[Exchange]:
        """The exchanges that have ended since the last call, in that order."""
        answered, full = self._answered, self.full
        while answered and (full or answered[0][0] <= now):
            _, exchange = answered.popleft()
            if not self._is_open(exchange):
                continue
            if full or exchange.deadline <= now:
                self._end(exchange)
            else:
                answered.append((exchange.deadline, exchange))
        for exchange in self._silent_since(now - self._limits.timeout):
            nobody = exchange.nobody
            self._end(exchange, Outcome.NO_RESPONDERS if nobody else Outcome.UNANSWERED)
        while self._held_order and self._held_order[0][0] + self._limits.hold <= now:
            self._drop_held()
        finished, self._finished, self._finished_size = self._finished, [], 0
        return finished

    def unchecked(self, before: int) -> list[Open]:
        """The exchanges begun before `before` that have no reply; each is given once, for `nobody_subscribes`."""
        unchecked, silent = self._unchecked, []
        while unchecked and unchecked[0][0] <= before:
            _, reply, number = unchecked.popleft()
            exchange = self._open.get(reply)
            if exchange is not None and exchange.number == number and not exchange.answers:
                silent.append(exchange)
        return silent

    def nobody_subscribes(self, exchanges: list[Open]) -> list[Open]:
        """Those of `exchanges` that still have no reply; they go on until the time-out, as one may come even so."""
        silent = [exchange for exchange in exchanges if not exchange.answers and self._is_open(exchange)]
        for exchange in silent:
            exchange.nobody = True
        return silent

    def interrupt(self) -> None:
        """Nothing is seen for a while, or ever again: what has no reply is in doubt, what has one ends."""
        for exchange in list(self._open.values()):
            if exchange.answers or exchange.nobody:
                self._end(exchange, None if exchange.answers else Outcome.NO_RESPONDERS)
            else:
                self._forget(exchange)
                self.counts.interrupted += 1
        self._answered.clear()
        self._unchecked.clear()
        while self._held_order:
            self._drop_held()

    # -- one message -----------------------------------------------------------------------------------------

    def _request(self, message: Message, arrived: int, came: float) -> None:
        reply, counts = message[1], self.counts
        part = hash(reply) % WHOLE
        if part >= self.share:
            if part >= self.asked:
                counts.sampled += 1
            else:
                counts.shed += 1
            return
        if reply.startswith(self._own):
            return
        if not self._inboxes.sees(reply):
            counts.outside += 1
            return
        other = self._open.get(reply)
        if other is not None and other.answers:
            self._end(other)
        elif other is not None:
            counts.shared += 1
            return
        exchange = Open(self._number + 1, message, arrived, came)
        if self._is_too_much(exchange.size):
            counts.crowded += 1
            return
        self._number += 1  # not `followed`, of which what is crowded out later is no part
        counts.followed += 1
        self._open[reply] = exchange
        self._size += exchange.size
        self._pulls.asked(exchange)
        self._ended.pop(reply, None)
        self._unchecked.append((arrived, reply, exchange.number))
        for when, held in self._held.pop(reply, ()):
            if self._is_open(exchange):
                self._add(exchange, held, when)

    def _add(self, exchange: Open, message: Message, arrived: int) -> None:
        _, _, header, payload = message
        if header is not None and not payload:
            status = headers.status(header)
            if status == "503" and not exchange.answers:
                self._end(exchange, Outcome.NO_RESPONDERS)
                return
            if status == headers.HEARTBEAT and is_pull(exact(exchange.message[0])):
                return
        if self._belongs is not None and payload and not self._belongs(exchange.message, message):
            self.counts.strays += 1
            return
        size = memory(header, payload)
        if self._is_too_much(size):
            self._forget(exchange)
            self.counts.followed -= 1
            self.counts.crowded += 1
            return
        exchange.size += size
        self._size += size
        exchange.answers.append(Answer(max(arrived - exchange.arrived, 0), header, payload))
        if exchange.error is None and (header is not None or payload[:2] == b'{"'):
            exchange.error = read_problem(header, payload, exact(exchange.message[0]))
            if exchange.error is not None and exchange.error.source == "status":
                self._pulls.ended(exchange)  # it gets no message any more
        exchange.deadline = arrived + self._limits.gap
        if len(exchange.answers) == 1:
            self._answered.append((exchange.deadline, exchange))
        elif len(exchange.answers) >= self._limits.replies:
            self._end(exchange)

    def _hold(self, message: Message, arrived: int) -> None:
        """Keep a reply until its request is seen, unless that is over."""
        subject = message[0]
        if subject in self._ended:
            self.counts.late += 1
            return
        self._held.setdefault(subject, []).append((arrived, message))
        self._held_order.append((arrived, message))
        self._held_size += _size(message)
        while self._held_size > self._limits.held_size or len(self._held_order) > self._limits.held:
            self._drop_held()

    def _drop_held(self) -> None:
        """Let go of the oldest reply that was held; unless it was matched meanwhile, it is a stray."""
        arrived, message = self._held_order.popleft()
        self._held_size -= _size(message)
        held = self._held.get(message[0])
        if held and held[0] == (arrived, message):
            self.counts.strays += 1
            held.pop(0)
            if not held:
                del self._held[message[0]]

    def _end(self, exchange: Open, outcome: Outcome | None = None) -> None:
        self._forget(exchange)
        self._ended[exchange.message[1]] = None
        if len(self._ended) > self._limits.ended:
            self._ended.popitem(last=False)
        self._finished.append(exchange.ended(outcome))
        self._finished_size += exchange.size

    def _forget(self, exchange: Open) -> None:
        del self._open[exchange.message[1]]
        self._size -= exchange.size
        self._pulls.ended(exchange)

    def _is_open(self, exchange: Open) -> bool:
        return self._open.get(exchange.message[1]) is exchange

    def _is_too_much(self, size: int) -> bool:
        return self._size + self._finished_size + size > self._limits.size

    def _silent_since(self, begun: int) -> list[Open]:
        """The open exchanges from before `begun` without a reply."""
        silent = []
        for exchange in self._open.values():
            if exchange.arrived > begun:
                break
            if not exchange.answers:
                silent.append(exchange)
        return silent


def _size(message: Message) -> int:
    """About the bytes of memory that an open or held message takes."""
    subject, reply, header, payload = message
    return len(subject) + len(reply) + memory(header, payload) + _OPEN
