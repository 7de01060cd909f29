"""Answers requests with a Python function, plain or async."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context, copy_context
from functools import partial
from itertools import count, repeat
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from natscli.environment import Environment
from natscli.errors import PynatsError
from natscli.handling import Reply, Request, ServiceError, encode
from natscli.message.header_lines import header_block
from natscli.message.message import Message
from natscli.message.templates import Facts, Template
from natscli.reply.python.code import Code
from natscli.reply.python.coroutines import Coroutines
from natscli.reply.python.explain import describe, summary
from natscli.reply.python.functions import HandlerFunction
from natscli.reply.python.importing import Loaded
from natscli.reply.python.received import ReceivedRequest
from natscli.reply.python.streams import KINDS, Feed, Streams
from natscli.reply.responders.parts.finished import Finished, Job
from natscli.reply.responders.parts.presence import GONE
from natscli.reply.responders.parts.workers import Workers
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder
from natscli.text import replaced

#: A request, and the code and the function that answer it.
_Asked = tuple[Job, Code, HandlerFunction]
#: Seconds for generators in threads to end.
_PATIENCE = 1.0
#: What a handler returned, or the exception that it raised.
Returned = tuple[Any, "BaseException | None"]

#: What async functions run in, and what plain ones do.
_Pool = tuple[Coroutines[_Asked], Workers[Returned]]


class Handler(Responder):
    """Calls the functions of `code`, which may be replaced at any time: async in the event loop, plain in threads."""

    def __init__(self, loaded: Loaded, lines: Template, concurrency: int) -> None:
        self.code = Code(loaded)
        self.places = tuple(one.place for one in loaded.functions if one.place.subject)
        self._lines = lines
        self._concurrency = concurrency

    async def start(self, host: Host) -> None:
        self._trace = host.environment.trace
        self._warn = host.environment.warn
        self._loop = asyncio.get_running_loop()
        self._finished = Finished()
        self._streams = Streams(host, self._message)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._shared = self._new_pool(self._concurrency)
        self._all_pools = [self._shared]
        self._pools = self._pools_for((), self.code.functions)
        _log_unhandled(host.environment, lambda: self.code.loaded)
        try:
            await self.code.lifespan.enter()
        except Exception as error:
            raise PynatsError(f"lifespan failed: {self._described(error)}") from error

    def respond(self, batch: Batch, done: Done) -> None:
        jobs = map(Job, batch.requests, count(batch.first), repeat(batch.arrived), repeat(done))
        # Those that wait get the code of now: what is loaded meanwhile may be called in another way.
        code = self.code
        function, (coroutines, workers) = code.functions[batch.place], self._pools[batch.place]
        code.running += len(batch.requests)
        if function.is_async:
            coroutines.submit(zip(jobs, repeat(code), repeat(function)))
        else:
            self._submit(workers, jobs, code, function)

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
            await self.code.lifespan.leave()
        except Exception as error:
            raise PynatsError(f"lifespan failed: {self._described(error)}") from error

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

    def _new_pool(self, most: int) -> _Pool:
        return Coroutines(most, self._await), Workers(most, eager=False)

    async def _await(self, asked: _Asked) -> None:
        job, code, function = asked
        try:
            value = function.function(ReceivedRequest(*job.request, job.number, code.lifespan.state))
            if type(value) is not AsyncGeneratorType:
                value = await value
            if type(value) in KINDS:
                await self._stream(job, code, value)
                return
        except BaseException as error:
            # An interrupt comes from a signal, and GeneratorExit from the end of the event loop.
            if self._stopped or isinstance(error, (KeyboardInterrupt, GeneratorExit)):
                raise
            self._fail(job, code, error)
        else:
            self._answer(job, code, function, value)

    def _submit(
        self, workers: Workers[Returned], jobs: Iterable[Job], code: Code, function: HandlerFunction
    ) -> None:
        state = code.lifespan.state
        for job in jobs:
            # A context of its own, so that requests do not see each other's context variables.
            request, context = ReceivedRequest(*job.request, job.number, state), copy_context()
            call = partial(context.run, _call, function.function, request)
            workers.submit(call, partial(self._returned, workers, context, job, code, function))

    def _returned(
        self,
        workers: Workers[Returned],
        context: Context,
        job: Job,
        code: Code,
        function: HandlerFunction,
        outcome: Returned,
    ) -> None:
        value, error = outcome
        if error is not None:
            self._fail(job, code, error)
        elif type(value) is GeneratorType:
            feed = Feed(value)
            workers.submit(partial(context.run, _feed, feed), lambda outcome: None)
            task = self._loop.create_task(self._stream_from(job, code, feed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._answer(job, code, function, value)

    async def _stream_from(self, job: Job, code: Code, feed: Feed) -> None:
        try:
            await self._stream(job, code, feed)
        except Exception as error:
            self._fail(job, code, error)
        await feed.over.wait()

    async def _stream(self, job: Job, code: Code, values: Any) -> None:
        """Send each of `values` as a reply, and an empty one at the end."""
        stream = await self._streams.run(job, values)
        if stream.ending is GONE:
            self._finished.flush()
            stream.give_up()
        elif stream.ending is not None:
            self._finished.add(job, stream.ending.reply(job.request), stream.ending)
        else:
            self._finished.add(job, (job.request[1], b"", None, b""))
        self._ended(code)

    def _message(self, job: Job, value: Any) -> Message:
        """The reply that a value is. Raises TypeError, ValueError: it is none."""
        lines, payload = (b"", value) if type(value) is bytes else encode(value)
        return job.request[1], b"", header_block(self._own_lines(job) + lines), payload

    def _answer(self, job: Job, code: Code, function: HandlerFunction, value: Any) -> None:
        try:
            reply = self._message(job, value)
        except Exception as error:
            self._fail(job, code, error, f"{summary(error)} ({function.at}: what it returned)")
        else:
            self._finished.add(job, reply)
            self._ended(code)

    def _own_lines(self, job: Job) -> bytes:
        subject, _, _, payload = job.request
        lines = self._lines
        return lines.format if lines.is_static else lines.fill(Facts(job.number, subject, payload))

    def _fail(self, job: Job, code: Code, error: BaseException, notice: str = "") -> None:
        try:
            reply, failure = error_reply(job.request, error)
        except Exception as wrong:  # a ServiceError with what cannot be sent
            error = wrong.with_traceback(error.__traceback__)
            reply, failure = error_reply(job.request, error)
        if not isinstance(error, ServiceError):
            notice = notice or describe(error, code.loaded.file)
            trace = "".join(traceback.format_exception(error)) if self._trace else ""
            failure = Failure(failure.code, failure.text, "\n".join([notice, *trace.splitlines()]))
        self._finished.add(job, reply, failure)
        self._ended(code)

    def _ended(self, code: Code) -> None:
        """A request that `code` was called for is answered."""
        code.running -= 1
        if code.retired:
            self._leave_if_over(code)

    def _leave_if_over(self, code: Code) -> None:
        if code.retired and not code.running:
            self._finished.flush()
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


def _feed(feed: Feed) -> Returned:
    feed.run()
    return None, None


def _call(function: Callable[[Request], Any], request: Request) -> Returned:
    try:
        return function(request), None
    except BaseException as error:  # in a thread, it means the end of this request only
        return None, error


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
