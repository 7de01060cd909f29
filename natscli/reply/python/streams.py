"""Several replies to one request: the values that a generator yields, each sent as it comes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from contextvars import Context
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from natscli.message.message import Message
from natscli.reply.responders.parts.finished import Job
from natscli.reply.responders.parts.presence import GONE, REFUSED, STOPPING, Presence, room
from natscli.reply.responders.responder import Batch, Failure, Host
from natscli.text import exact

#: What a handler may return in place of a reply.
KINDS = (AsyncGeneratorType, GeneratorType)
#: Values after which other requests get their turn, and that a thread may be ahead of what is sent.
_TURN, _AHEAD = 32, 64


class Unsendable(Exception):
    """What a handler yielded is no reply; `why` says what is wrong with it."""

    def __init__(self, why: Exception) -> None:
        super().__init__(str(why))
        self.why = why


class Stream:
    """The replies to one request. `ending` is why they end before the generator does."""

    def __init__(self, job: Job, token: bytes) -> None:
        self.token = token
        self.ending: Failure | None = None
        self._job = job
        self._batch = Batch([job.request], job.number, job.arrived, job.place)
        self._task = asyncio.current_task()

    @property
    def subject(self) -> bytes:
        """Where the replies go."""
        return self._job.request[1]

    def send(self, reply: Message) -> None:
        """Send one of the replies."""
        self._job.done(self._batch, [reply], None, more=True)

    def give_up(self) -> None:
        """The request is done, and nobody is to be told."""
        self._job.done(self._batch, [], None if self.ending is REFUSED else self.ending)

    def stop(self, why: Failure) -> None:
        """End it, wherever the generator waits."""
        if self.ending is None and self._task is not None:
            self.ending = why
            self._task.cancel()

    async def stopped(self) -> None:
        """Take back what `stop` did to the task, which goes on with other requests."""
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        uncancel: Callable[[], object] | None = getattr(self._task, "uncancel", None)  # from Python 3.11 on
        if uncancel is not None:
            uncancel()


class Streams:
    """The streams of a run. `message(request, number, value)` makes a reply of a value."""

    def __init__(self, host: Host, message: Callable[[Message, int, Any], Message]) -> None:
        self._client = host.connection.client
        self._message = message
        self._presence = Presence(self._client, lambda token: self._active[token].stop(GONE))
        self._active: dict[bytes, Stream] = {}
        self._draining = False

    def drain(self) -> None:
        """End all, and begin no more: an endless one would never end."""
        self._draining = True
        for stream in self._active.values():
            stream.stop(STOPPING)

    def refused(self, text: str) -> bool:
        """End those whose replies are not permitted, as the server says in `text`; whether it was about no reply."""
        if self._presence.refused(text):
            return True
        for stream in self._active.values():
            if f'"{exact(stream.subject)}"' in text:
                stream.stop(REFUSED)
        return False

    async def run(self, job: Job, values: Any) -> Stream:
        """Send each of `values`; gives the stream, which has ended. Raises what the generator raises, or Unsendable."""
        if self._draining:
            stream = Stream(job, b"")
            stream.ending = STOPPING
            return stream
        stream = Stream(job, self._presence.begin())
        self._active[stream.token] = stream
        try:
            await self._send_all(stream, job, values)
        except asyncio.CancelledError:
            if stream.ending is None:
                raise
        finally:
            del self._active[stream.token]
            self._presence.end(stream.token)
            if stream.ending is not None:
                await stream.stopped()
            if isinstance(values, AsyncGeneratorType):
                await values.aclose()
        return stream

    async def _send_all(self, stream: Stream, job: Job, values: Any) -> None:
        sent = 0
        async for value in values if hasattr(values, "__aiter__") else _each(values):
            try:
                subject, _, block, payload = self._message(job.request, job.number, value)
            except Exception as error:
                raise Unsendable(error) from error
            stream.send((subject, self._presence.look(stream.token), block, payload))
            sent += 1
            if sent % _TURN == 0:
                await asyncio.sleep(0)
                await room(self._client)


async def _each(values: Iterable[Any]) -> AsyncIterator[Any]:
    for value in values:
        yield value


class Feed:
    """What a plain generator yields in a thread, for the event loop; the thread is not far ahead."""

    def __init__(self, values: Any, context: Context) -> None:
        """The generator goes on in `context`."""
        self._values, self._context = values, context
        self._loop = asyncio.get_running_loop()
        self._came: asyncio.Queue[tuple[bool, Any]] = asyncio.Queue()
        self._room = threading.Semaphore(_AHEAD)
        self._closed = False
        #: Set when the generator has ended, which may be some time after its values are not wanted any more.
        self.over = asyncio.Event()

    def run(self) -> None:
        """Take all values; called in a thread."""
        self._context.run(self._run)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for value in self._values:
                self._room.acquire()
                if self._closed:
                    break
                self._loop.call_soon_threadsafe(self._came.put_nowait, (True, value))
            self._values.close()
        except BaseException as raised:
            error = raised
        self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: BaseException | None) -> None:
        self._came.put_nowait((False, error))
        self.over.set()

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            while True:
                goes_on, value = await self._came.get()
                if goes_on:
                    self._room.release()
                    yield value
                elif value is None:
                    return
                else:
                    raise value
        finally:
            self._closed = True
            self._room.release()
