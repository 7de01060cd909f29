"""Answers requests with a Python function, plain or async."""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from itertools import count, repeat
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.handling import Reply, ServiceError, encode
from natscli.message.header_lines import header_block
from natscli.message.message import Message
from natscli.message.templates import Facts, Template
from natscli.reply.python.code import Calling, Code
from natscli.reply.python.coroutines import Coroutines
from natscli.reply.python.explain import describe, summary
from natscli.reply.python.functions import HandlerFunction
from natscli.reply.python.importing import Loaded
from natscli.reply.python.received import ReceivedRequest
from natscli.reply.python.streams import KINDS, Feed, Streams, Unsendable
from natscli.reply.responders.parts.finished import Finished, Job
from natscli.reply.responders.parts.presence import GONE, REFUSED
from natscli.reply.responders.parts.workers import Workers
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder
from natscli.text import replaced

#: A request as in a `Job`, answered by a function.
_Asked = tuple[Message, int, int, Calling, int]
#: Seconds for generators in threads to end.
_PATIENCE = 1.0
#: What a handler returned in a thread, or the exception that it raised; of a generator, the context that it goes on in.
_Returned = tuple[Any, "BaseException | None", "Context | None"]

#: What async functions run in, and what plain ones do.
_Pool = tuple[Coroutines[_Asked], "Workers[_Asked | Feed, _Returned]"]


class Handler(Responder):
    """Calls the functions of `code`, which may be replaced at any time: async in the event loop, plain in threads."""

    tells_places = True

    def __init__(self, loaded: Loaded, lines: Template, concurrency: int) -> None:
        self.code = Code(loaded)
        self.places = tuple(one.place for one in loaded.functions if one.place.subject)
        self._lines = lines
        self._lines_are_static = lines.is_static
        self._same_block = header_block(lines.format) if lines.is_static else None
        self._concurrency = concurrency

    async def start(self, host: Host) -> None:
        self._trace = host.environment.trace
        self._warn, self._log = host.environment.warn, host.environment.log
        self._loop = asyncio.get_running_loop()
        self._finished = Finished()
        self._streams = Streams(host, self._message)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._shared = self._new_pool(self._concurrency)
        self._all_pools = [self._shared]
        self._pools = self._pools_for((), self.code.functions)
        self.mixes = self._all_alike()
        _log_unhandled(host.environment, lambda: self.code.loaded)
        try:
            await self.code.lifespan.enter()
        except Exception as error:
            raise PynatsError(f"lifespan failed: {self._described(error)}") from error

    def respond(self, batch: Batch, done: Done) -> None:
        # Those that wait get the code of now: what is loaded meanwhile may be called in another way.
        code, place = self.code, batch.places[0] if batch.places else batch.place
        coroutines, workers = self._pools[place]
        code.running += len(batch.requests)
        asked = zip(
            batch.requests, count(batch.first), repeat(batch.arrived),
            repeat(code.calling(done, self._leave_if_over)), batch.places or repeat(place), strict=False,
        )  # fmt: skip
        if code.functions[place].is_async:
            coroutines.submit(asked)
        else:
            workers.submit(asked)

    def drain(self) -> None:
        self._streams.drain()

    def refused(self, text: str) -> bool:
        return self._streams.refused(text)

    async def finish(self) -> None:
        if self._tasks:  # generators whose last reply is sent, and that end now
            await asyncio.wait(self._tasks, timeout=_PATIENCE)

    async def close(self) -> None:
        if not hasattr(self, "_finished"):
            return
        try:
            await self.code.lifespan.leave(self._log_leaving)
        except Exception as error:
            raise PynatsError(f"lifespan failed: {self._described(error)}") from error

    def _log_leaving(self, waited: float) -> None:
        leaving = f"Leaving the lifespan for {format_duration(round(waited))}"
        self._log(f"{leaving}; a second signal stops at once")

    def kill(self) -> None:
        if hasattr(self, "_finished"):
            self._stopped = True
            for coroutines, workers in self._all_pools:
                coroutines.stop()
                workers.stop()
            for task in self._tasks:
                task.cancel()

    def use(self, code: Code) -> None:
        """Answer with other code, whose lifespan is entered; that of before is left after its last request."""
        self._pools = self._pools_for(self.code.functions, code.functions)
        before, self.code = self.code, code
        self.mixes = self._all_alike()
        before.retired = True
        self._leave_if_over(before)

    def _pools_for(
        self, before: Sequence[HandlerFunction], functions: Sequence[HandlerFunction]
    ) -> list[_Pool]:
        """What each of `functions` runs in: the same as `before`, unless it answers another number at once."""
        pools = []
        for index, one in enumerate(functions):
            if index < len(before) and one.concurrency == before[index].concurrency:
                pools.append(self._pools[index])
            elif one.concurrency:
                pools.append(self._new_pool(one.concurrency))
                self._all_pools.append(pools[-1])
            else:
                pools.append(self._shared)
        return pools

    def _all_alike(self) -> bool:
        """Whether all functions are called in the same place: in the event loop, or in the same threads."""
        return len({(p, one.is_async) for p, one in zip(self._pools, self.code.functions, strict=True)}) == 1

    def _new_pool(self, most: int) -> _Pool:
        return Coroutines(most, self._await), Workers(most, _call, self._returned, eager=False)

    async def _await(self, waiting: deque[_Asked]) -> None:
        """Answer what is `waiting`, until nothing is, or a context variable is not what it was."""
        fresh, answer, add = copy_context(), self._answer, self._finished.add
        block, as_it_is = self._same_block, self._lines_are_static
        while waiting:
            asked = waiting.popleft()
            request, number, _, calling, place = asked
            try:
                value = calling.functions[place](ReceivedRequest().filled(request, number, calling.state))
                if type(value) is not AsyncGeneratorType:
                    value = await value
                if type(value) is bytes and as_it_is:
                    add(asked, (request[1], b"", block, value))
                elif type(value) in KINDS:
                    await self._stream(asked, value)
                else:
                    answer(asked, value)
            except BaseException as error:
                # An interrupt comes from a signal, and GeneratorExit from the end of the event loop.
                if self._stopped or isinstance(error, (KeyboardInterrupt, GeneratorExit)):
                    raise
                self._fail(asked, error)
            if copy_context() != fresh:
                return

    def _returned(self, asked: _Asked | Feed, outcome: _Returned) -> None:
        """Take what a function returned in a thread."""
        if isinstance(asked, Feed):
            return
        value, error, context = outcome
        if error is not None:
            self._fail(asked, error)
        elif context is not None:
            feed = Feed(value, context)
            self._pools[asked[4]][1].submit([feed])
            task = self._loop.create_task(self._stream_from(asked, feed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._answer(asked, value)

    async def _stream_from(self, asked: _Asked, feed: Feed) -> None:
        try:
            await self._stream(asked, feed)
        except (Exception, SystemExit) as error:
            self._fail(asked, error)
        await feed.over.wait()

    async def _stream(self, asked: _Asked, values: Any) -> None:
        """Send each of `values` as a reply, and an empty one at the end."""
        job = Job(*asked)
        try:
            stream = await self._streams.run(job, values)
        except Unsendable as error:
            self._fail_value(asked, error.why, "yielded")
            return
        if stream.ending in (GONE, REFUSED):
            self._finished.flush()
            stream.give_up()
        elif stream.ending is not None:
            self._finished.add(job, stream.ending.reply(job.request), stream.ending)
        else:
            self._finished.add(job, (job.request[1], b"", None, b""))

    def _message(self, request: Message, number: int, value: Any) -> Message:
        """The reply that a value is. Raises TypeError, ValueError: it is none."""
        lines, payload = encode(value)
        if lines or not self._lines_are_static:
            own = self._lines.fill(Facts(number, request[0], request[3]))
            return request[1], b"", header_block(own + lines), payload
        return request[1], b"", self._same_block, payload

    def _answer(self, asked: _Asked, value: Any) -> None:
        request, number, _, _, _ = asked
        if type(value) is bytes and self._lines_are_static:
            self._finished.add(asked, (request[1], b"", self._same_block, value))
            return
        try:
            reply = self._message(request, number, value)
        except Exception as error:
            self._fail_value(asked, error, "returned")
        else:
            self._finished.add(asked, reply)

    def _fail_value(self, asked: _Asked, error: Exception, how: str) -> None:
        """Fail with a value that is no reply, and that was `returned` or `yielded`."""
        _, _, _, calling, place = asked
        self._fail(asked, error, f"{summary(error)} ({calling.code.functions[place].at}: what it {how})")

    def _fail(self, asked: _Asked, error: BaseException, notice: str = "") -> None:
        request, _, _, calling, _ = asked
        try:
            reply, failure = error_reply(request, error)
        except Exception as wrong:  # a ServiceError with what cannot be sent
            error = wrong.with_traceback(error.__traceback__)
            reply, failure = error_reply(request, error)
        if not isinstance(error, ServiceError):
            notice = notice or describe(error, calling.code.loaded.file)
            trace = "".join(traceback.format_exception(error)) if self._trace else ""
            failure = Failure(failure.code, failure.text, "\n".join([notice, *trace.splitlines()]))
        self._finished.add(asked, reply, failure)

    def _leave_if_over(self, code: Code) -> None:
        if code.retired and not code.running:
            task = self._loop.create_task(self._leave(code))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _leave(self, code: Code) -> None:
        try:
            await code.lifespan.leave()
        except Exception as error:
            self._warn(f"lifespan of the code before failed: {self._described(error)}")

    def _described(self, error: BaseException) -> str:
        return describe(error, self.code.loaded.file)


def _log_unhandled(environment: Environment, loaded: Callable[[], Loaded]) -> None:
    """Log what the handler's own tasks and callbacks raise, which no request waits for."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler() or asyncio.AbstractEventLoop.default_exception_handler

    def handle(loop: asyncio.AbstractEventLoop, details: dict[str, Any]) -> None:
        error = details.get("exception")
        if isinstance(error, Exception) and loaded().was_in(error):
            environment.warn(f"{details['message']}: {describe(error, loaded().file)}")
        else:
            before(loop, details)

    loop.set_exception_handler(handle)


def _call(asked: _Asked | Feed) -> _Returned:
    """Call a function, or take what a generator yields; in a thread."""
    if isinstance(asked, Feed):
        asked.run()
        return None, None, None
    request, number, _, calling, place = asked
    try:
        value = calling.functions[place](ReceivedRequest().filled(request, number, calling.state))
    except BaseException as error:  # in a thread, it means the end of this request only
        return None, error, None
    return value, None, copy_context() if type(value) is GeneratorType else None


def error_reply(request: Message, error: BaseException) -> tuple[Message, Failure]:
    """The reply for an exception: what a `ServiceError` says, and of any other only the kind, with code 500.

    Raises:
        Exception: the headers or the payload of a `ServiceError` cannot be sent.
    """
    if not isinstance(error, ServiceError):
        failure = Failure(500, f"the handler failed: {type(error).__name__}")
        return failure.reply(request), failure
    failure = Failure(error.code, " ".join(replaced(error.text).split()))
    subject, reply, block, _ = failure.reply(request)
    lines, payload = encode(Reply(error.data, error.headers))
    return (subject, reply, (block or b"")[:-2] + lines + b"\r\n", payload), failure
