"""Answers requests with a Python function, plain or async."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import partial
from itertools import count, repeat
from typing import Any

from natscli.environment import Environment
from natscli.handling import Reply, Request, ServiceError, encode
from natscli.message.header_lines import header_block
from natscli.message.message import Message
from natscli.message.templates import Facts, Template
from natscli.reply.python.coroutines import Coroutines
from natscli.reply.python.explain import describe, place, shown, summary
from natscli.reply.python.importing import Loaded
from natscli.reply.responders.parts.finished import Finished, Job
from natscli.reply.responders.parts.workers import Workers
from natscli.reply.responders.responder import Batch, Done, Failure, Host, Responder
from natscli.text import replaced

#: A request, and the coroutine function that answers it.
_Asked = tuple[Job, Callable[[Request], Any]]
#: What a handler returned, or the exception that it raised.
Returned = tuple[Any, "BaseException | None"]


class Handler(Responder):
    """Calls `loaded.function`, which may be replaced at any time: async in the event loop, plain in threads."""

    def __init__(self, loaded: Loaded, lines: Template, concurrency: int) -> None:
        self.loaded = loaded
        self._lines = lines
        self._concurrency = concurrency

    async def start(self, host: Host) -> None:
        self._trace = host.environment.trace
        self._finished = Finished()
        self._coroutines: Coroutines[_Asked] = Coroutines(self._concurrency, self._await)
        self._workers: Workers[Returned] = Workers(self._concurrency, eager=False)
        self._stopped = False
        _log_unhandled(host.environment, lambda: self.loaded)

    def respond(self, batch: Batch, done: Done) -> None:
        jobs = map(Job, batch.requests, count(batch.first), repeat(batch.arrived), repeat(done))
        # Those that wait get the function of now: one that is loaded meanwhile may be called in another way.
        if self.loaded.is_async:
            self._coroutines.submit(zip(jobs, repeat(self.loaded.function)))
        else:
            self._submit(jobs, self.loaded.function)

    def kill(self) -> None:
        if hasattr(self, "_finished"):
            self._stopped = True
            self._coroutines.stop()
            self._workers.stop()

    async def _await(self, asked: _Asked) -> None:
        job, function = asked
        try:
            value = await function(Request(*job.request, job.number))
        except BaseException as error:
            # An interrupt comes from a signal, and GeneratorExit from the end of the event loop.
            if self._stopped or isinstance(error, (KeyboardInterrupt, GeneratorExit)):
                raise
            self._fail(job, error)
        else:
            self._answer(job, value)

    def _submit(self, jobs: Iterable[Job], function: Callable[[Request], Any]) -> None:
        for job in jobs:
            # A context of its own, so that requests do not see each other's context variables.
            call = partial(copy_context().run, _call, function, Request(*job.request, job.number))
            self._workers.submit(call, partial(self._returned, job))

    def _returned(self, job: Job, outcome: Returned) -> None:
        value, error = outcome
        if error is None:
            self._answer(job, value)
        else:
            self._fail(job, error)

    def _answer(self, job: Job, value: Any) -> None:
        try:
            lines, payload = (b"", value) if type(value) is bytes else encode(value)
            block = header_block(self._own_lines(job) + lines)
        except Exception as error:
            at = place(self.loaded.function, shown(self.loaded.file))
            self._fail(job, error, f"{summary(error)} ({at}: what it returned)")
        else:
            self._finished.add(job, (job.request[1], b"", block, payload))

    def _own_lines(self, job: Job) -> bytes:
        subject, _, _, payload = job.request
        lines = self._lines
        return lines.format if lines.is_static else lines.fill(Facts(job.number, subject, payload))

    def _fail(self, job: Job, error: BaseException, notice: str = "") -> None:
        try:
            reply, failure = error_reply(job.request, error)
        except Exception as wrong:  # a ServiceError with what cannot be sent
            error = wrong.with_traceback(error.__traceback__)
            reply, failure = error_reply(job.request, error)
        if not isinstance(error, ServiceError):
            notice = notice or describe(error, self.loaded.file)
            trace = "".join(traceback.format_exception(error)) if self._trace else ""
            failure = Failure(failure.code, failure.text, "\n".join([notice, *trace.splitlines()]))
        self._finished.add(job, reply, failure)


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
