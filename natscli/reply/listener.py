"""The loop that serves responders: takes batches of requests, has them answered, shows them, drains."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from time import perf_counter_ns
from typing import Any

from natscli.connection.connection import Connection
from natscli.connection.failures import classify
from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.message.message import Message
from natscli.output.pump import Pump
from natscli.reply.delivery import BUSY, TOO_LARGE, UNDELIVERED, Deliver, Delivery
from natscli.reply.end_request import EndRequest
from natscli.reply.ended import Renderers
from natscli.reply.mixing import Mixing
from natscli.reply.numbers import Numbers
from natscli.reply.pending import Pending
from natscli.reply.reporter import Reporter
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Listen, Place, reply_subject
from natscli.reply.routes import LIMITS, Limits, Route
from natscli.reply.statistics import Statistics
from natscli.reply.subscriptions import Subscriptions
from natscli.system.signals import Stop, on_info
from natscli.wire.nats_py import errors as nats_errors

#: Stands for the last reply of several where that was sent before; it counts, and has no bytes.
_NO_MORE: Message = (b"", b"", None, b"")
_UNSEEN = ": that a requester of several replies is gone is not noticed"
_STOPPING = Failure(503, "the responder is stopping", notice="")


class Listener:
    """Serves its routes on one connection until it is stopped or `numbers` are exhausted."""

    def __init__(
        self,
        routes: list[Route],
        connection: Connection,
        environment: Environment,
        render: Renderers,
        numbers: Numbers,
        report: Reporter,
        limits: Limits = LIMITS,
        stop: Callable[[Callable[[], object]], Stop] = Stop,
        new_route: Callable[[int, Place], Route] | None = None,
    ) -> None:
        """`stop` makes what calls its argument when a signal, or another process, asks to end.

        `new_route` makes a route of a place and its index, for responders that change where to listen, which changes
        `routes`; without it, none may.
        """
        self._routes = routes
        self._responders = list(dict.fromkeys(route.responder for route in routes))
        self._connection = connection
        self._client = connection.client
        self._environment = environment
        self._limits = limits
        self._report = report
        self._new_stop = stop
        self._numbers = numbers
        self._loop = asyncio.get_running_loop()
        self._pending = Pending(limits.requests, limits.size)
        self._pump = Pump(
            environment, lossy=True, on_failure=self._output_failed, wrap=report.wrap, turn=report.turn
        )
        self._subscriptions = Subscriptions(routes, connection, environment, self._subscribe, limits.timeout)
        self._new_route = new_route
        self._delivery = Delivery(connection, environment, self._pump, render)
        self._stop = EndRequest()
        #: When the last of several replies went to requests that are not done (nanoseconds), by their numbers.
        self._begun: dict[int, int] = {}
        self._mixing = Mixing(numbers, self._pending, self._delivery, self._begun, self._done_pending)
        self._refused = 0

    async def run(self) -> None:
        """Subscribe, serve, and drain at the end: whatever was accepted is answered.

        Raises:
            PynatsError: a responder cannot start, refused, the connection was lost, or the output cannot be written.
            asyncio.CancelledError: stopped a second time.
        """
        with self._pump.taking_log():
            stop = self._new_stop(self._stop.ask)
            try:
                with self._classified():
                    await self._serve()
            finally:
                self._end(stop)
        self._pump.check()

    def _end(self, stop: Stop) -> None:
        """Say what is left, and show the last."""
        unanswered = self._pending.requests
        for responder in self._responders:
            responder.kill()
        stop.blocking = True
        self._delivery.close()
        self._log_refused()
        if unanswered:
            self._environment.warn(f"stopped, requests left unanswered: {unanswered}")
        self._report.end()
        self._pump.close(0.1 if unanswered else 1.0)
        self._report.summarize()

    async def _serve(self) -> None:
        try:
            with self._stop.starting():
                for responder in self._responders:
                    await responder.start(Host(self._connection, self._environment, self._listen))
            await self._serve_to_the_end()
        except Exception:
            with suppress(PynatsError):  # what came first is said
                await self._close()
            raise
        await self._close()

    async def _close(self) -> None:
        for responder in self._responders:
            await responder.close()

    async def _serve_to_the_end(self) -> None:
        self._client.together = self._mixing.take
        await self._subscriptions.begin()
        self._connection.on_refusal = self._on_refusal
        self._connection.on_too_large = self._on_too_large
        self._delivery.responders = self._responders
        self._connection.on_reconnect = lambda: self._delivery.connected(self._first)
        self._delivery.connected(self._first)
        self._subscriptions.log()
        self._report.begin(self._pump)
        on_info(self._report.write)
        self._tick()
        await self._unless_lost(self._stop.wait())
        await self._unless_lost(self._drain())
        for responder in self._responders:
            await responder.finish()

    def _tick(self) -> None:
        if self._report.interval:
            self._report.tick()
            self._loop.call_later(self._report.interval, self._tick)

    @property
    def _listen(self) -> Listen | None:
        """See `Host`."""
        return self._new_route and partial(self._subscriptions.change, new_route=self._new_route)

    async def _subscribe(self, route: Route) -> Any:
        take, deliver = self._on_batch, self._delivery.deliver
        if route.internal:
            take, deliver = self._on_internal, self._delivery.send_uncounted
        counted = self._done if route.responder.immediate else self._done_pending
        done: Done = partial(counted, deliver, route.statistics)
        key = None
        if route.responder.tells_places:
            done, key = self._mixing.done, route.place
            self._mixing.add(route, partial(take, route, done))
        limit = self._numbers.limit if len(self._routes) == 1 else 0
        return await self._client.subscribe_batches(
            route.subject, route.queue, partial(take, route, done), limit, sort=not limit,
            key=None if self._numbers.limit else key,
        )  # fmt: skip

    @contextmanager
    def _classified(self) -> Iterator[None]:
        try:
            yield
        except nats_errors.Error as error:
            raise classify(error, self._connection.url) from None

    async def _drain(self) -> None:
        """Take no more requests, answer those that are pending, and wait until the replies are sent.

        Raises:
            ConnectionFailedError: they could not be sent.
        """
        if self._pending.requests:
            self._environment.log(f"Draining, requests pending: {self._pending.requests}")
        await self._subscriptions.end()
        for responder in self._responders:
            responder.drain()
        await self._pending.empty(self._limits.reminder, self._log_draining)  # it may hang
        await self._connection.sent(self._limits.timeout)

    def _log_draining(self, waited: float) -> None:
        waiting = f"Draining for {format_duration(round(waited))}, requests pending: {self._pending.requests}"
        self._environment.log(f"{waiting}; a second signal stops at once")

    async def _unless_lost(self, work: Coroutine[Any, Any, Any]) -> None:
        """Wait for `work`, unless the connection is lost for good.

        Raises:
            PynatsError: it was.
        """
        lost = self._connection.lost
        task = asyncio.ensure_future(work)
        await asyncio.wait((task, lost), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            raise lost.result()
        task.result()

    # -- from requests to replies ----------------------------------------------------------------------------

    def _on_batch(self, route: Route, done: Done, requests: list[Message], arrived: int) -> None:
        numbers = self._numbers.take(len(requests))
        if self._numbers.exhausted:
            self._stop.set()
            requests, rest = requests[: len(numbers)], requests[len(numbers) :]
            unwanted = Batch([r for r in rest if reply_subject(r)], numbers.stop, arrived)
            self._delivery.send_uncounted(unwanted, route.responder.refusals(unwanted, _STOPPING), _STOPPING)
            if not requests:
                return
        self._delivery.begin()
        self._respond(route, done, Batch(requests, numbers.start, arrived, route.place))
        self._delivery.show_received(requests, numbers.start)

    def _on_internal(self, route: Route, done: Done, requests: list[Message], arrived: int) -> None:
        self._respond(route, done, Batch(requests, 0, arrived))

    def _respond(self, route: Route, done: Done, batch: Batch) -> None:
        accept = self._answer if route.responder.immediate else self._accept
        if all(map(reply_subject, batch.requests)):
            accept(route, done, batch)
        else:
            for answerable, part in batch.runs(bool(reply_subject(r)) for r in batch.requests):
                if answerable:
                    accept(route, done, part)
                elif not route.internal:
                    route.statistics.ignore(len(part.requests))
                    self._delivery.deliver(part, [], None)

    def _answer(self, route: Route, done: Done, batch: Batch) -> None:
        """Have a batch answered by what does so at once, and take the time."""
        statistics = route.statistics
        statistics.receive(batch.requests)
        start = perf_counter_ns()
        route.responder.respond(batch, done)
        end = perf_counter_ns()
        statistics.spend(end - start, end - batch.arrived, len(batch.requests))

    def _accept(self, route: Route, done: Done, batch: Batch) -> None:
        """Keep the requests, to be answered later, and refuse those that there is no room for."""
        if self._pending.add(batch.requests):
            route.statistics.receive(batch.requests)
            route.responder.respond(batch, done)
            return
        for accepted, part in batch.runs([self._pending.add([request]) for request in batch.requests]):
            route.statistics.receive(part.requests)
            if accepted:
                route.responder.respond(part, done)
            else:
                self._refuse(route, part)

    def _done(
        self,
        deliver: Deliver,
        statistics: Statistics,
        batch: Batch,
        replies: list[Message],
        failure: Failure | None,
        *,
        more: bool = False,
    ) -> None:
        """Requests are answered, or one of them in part: count and deliver the replies."""
        if more:
            statistics.add(replies)
            self._begun[batch.first] = perf_counter_ns()
            self._delivery.deliver_some(batch, replies)
            return
        begun = [self._begun.pop(number, 0) for number in batch.numbers] if self._begun else ()
        # Requests that end without a reply end alone.
        statistics.finish(len(batch.requests), replies or ([_NO_MORE] if any(begun) else []))
        unfit = deliver(batch, replies, failure)
        if failure is not None:
            statistics.fail(failure, len(batch.requests))
        if unfit:
            undelivered = list(unfit.values()).count(UNDELIVERED)
            statistics.undeliver(undelivered)
            if failure is None and undelivered < len(unfit):
                statistics.fail(TOO_LARGE, len(unfit) - undelivered)

    def _done_pending(
        self,
        deliver: Deliver,
        statistics: Statistics,
        batch: Batch,
        replies: list[Message],
        failure: Failure | None,
        *,
        more: bool = False,
    ) -> None:
        """Requests that were pending are answered; each took the time since it arrived."""
        if more:
            self._done(deliver, statistics, batch, replies, failure, more=True)
            return
        last = 0 if replies or not self._begun else self._begun.get(batch.first, 0)
        elapsed, count = (last or perf_counter_ns()) - batch.arrived, len(batch.requests)
        statistics.spend(elapsed * count, elapsed, count)
        self._done(deliver, statistics, batch, replies, failure)
        self._pending.remove(batch.requests)

    # -- what went wrong -------------------------------------------------------------------------------------

    @property
    def _first(self) -> Statistics:
        """Where to count what belongs to one of several routes, and nothing says to which."""
        return next(route for route in self._routes if not route.internal).statistics

    def _refuse(self, route: Route, batch: Batch) -> None:
        if not self._refused:
            self._loop.call_later(1.0, self._log_refused)
        self._refused += len(batch.requests)
        route.responder.answered_elsewhere(batch.requests)
        replies = route.responder.refusals(batch, BUSY)
        self._done(self._delivery.deliver, route.statistics, batch, replies, BUSY)

    def _log_refused(self) -> None:
        refused, self._refused = self._refused, 0
        if refused:
            self._environment.warn(
                f"requests refused with code 503, because too many were waiting: {refused}"
            )

    def _on_refusal(self, error: PynatsError) -> None:
        """A reply that is not permitted must not end the listener: the requester chose its subject.

        A subscription that a responder needs must; the loss of all of ours does, see `Connection.needs`.
        """
        text = error.what.lower()
        of_responders = [responder.refused(error.what) for responder in self._responders]
        known = any(of_responders) or any(f'"{route.subject.lower()}"' in text for route in self._routes)
        if "for subscription" in text:
            if not known and not self._connection.lost.done():
                self._connection.lost.set_result(error)
                return
        elif any(of_responders):  # of what was passed on, and is answered
            return
        else:
            self._delivery.refused(error.what, self._first)
            of_responders = []
        self._environment.warn(f"{error.what}{_UNSEEN if any(of_responders) else ''}")

    def _on_too_large(self, text: str) -> None:
        """A reply was larger than the server takes since a reload, of which it has not told."""
        for responder in self._responders:
            responder.refused(text)
        self._delivery.refused(text, self._first)

    def _output_failed(self, error: Exception) -> None:  # noqa: ARG002
        """Called in any thread: a listener that can show nothing more stops; `run` says why."""
        with suppress(RuntimeError):  # the loop is closed, all is over
            self._loop.call_soon_threadsafe(self._stop.set)
