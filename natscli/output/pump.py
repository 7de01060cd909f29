"""Writes what was received without ever holding up the replies.

Regular files take whatever comes, so they are written at once. Terminals, pipes and sockets may stop taking for as
long as they like, so a thread renders and writes. A `lossy` pump drops what does not fit meanwhile and says how much;
with one that is not, its user waits while it is `behind`, and it drops only what would fill the memory.

The law. Two threads meet here: the user's, which puts, discards, logs and closes, and the output thread, which
renders and writes. A `direct` pump has no output thread: the user's renders and writes.

- The queue, what is counted of it (`_bytes`, `_messages`, `_dropped`), `_cut` and `_closed` change under `_condition`
  only. `behind`, `waiting` and `rendering` read without it: they may be a moment late.
- `_writing` is set by the output thread, under `_condition`; `rendered` of an entry, `_steps` and `_said` by whoever
  writes, without it; others only read them.
- `failure` is set once, by whoever writes; from then on nothing more is rendered, and the log goes past the queue.
- Its life: `with taking_log()` puts it into the way of the log; `close` ends the queue; then the output thread ends
  (`_finished`: the log goes straight to stderr, and is given back), or it is stuck (the log goes to another thread).
- How it writes (`wrap`, `turn`, `renders_slowly`) is said when it is made and never changes.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from natscli.environment import Environment, from_stdout
from natscli.errors import PynatsError, explain
from natscli.output.streams import never_blocks, write_all

if TYPE_CHECKING:
    import asyncio

#: What is written: the log for stderr, and data for stdout.
Rendered = tuple[bytes, bytes]
Render = Callable[[], Rendered]

_MOST_BYTES = 4 * 1024 * 1024
_MOST_MESSAGES = 10_000
#: What one that is not lossy keeps for a reader that is slow.
_MOST_BYTES_KEPT = 256 * 1024 * 1024
_NOT_SHOWN = "%d more were not shown: the output could not keep up"
_DISCARDED = "the rest was not shown: interrupted"
#: How long (seconds) the thread may go on when the one that answers has something to do; 10 times shorter than usual.
_TURN = 0.0005
#: At the end, how long (seconds) to wait for a reader that takes nothing at all.
_PATIENCE = 1.0


def in_loop(handler: Callable[[PynatsError], object]) -> Callable[[Exception], None]:
    """A pump's `on_failure` that has `handler` called in the loop that runs now."""
    import asyncio  # loaded by all who can call this

    loop = asyncio.get_running_loop()

    def on_failure(error: Exception) -> None:
        with suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(handler, PynatsError(explain(error).message))

    return on_failure


class _Entry:
    """What waits to be shown: `messages` of them, about `size` bytes."""

    __slots__ = ("messages", "render", "rendered", "size")

    def __init__(self, render: Render, messages: int, size: int) -> None:
        self.render = render
        self.messages = messages
        self.size = size
        self.rendered = False


class Pump:
    """The way out for everything that is shown while messages come in.

    `failure` is why nothing is written any more; `on_failure` was called with it, perhaps in a thread. `direct` is
    whether all is written at once, so that sizes do not matter. `lost` is how many messages were dropped.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        lossy: bool,
        on_failure: Callable[[Exception], None],
        most_bytes: int | None = None,
        wrap: Callable[[bytes], bytes] | None = None,
        turn: AbstractContextManager[object] | None = None,
        renders_slowly: bool = False,
    ) -> None:
        """Keep `most_bytes` for a slow reader; without, 4 MB if `lossy`, else 256 MB.

        With `wrap`, what it makes of the log is written: lines that a terminal has something drawn below. It writes
        in its `turn`, if it takes turns with other processes that write to the same. What `renders_slowly`, because
        it waits for a disk for example, is rendered in the thread in any case.
        """
        blocks = not (never_blocks(environment.stdout) and never_blocks(environment.stderr))
        self.direct = not (blocks or renders_slowly)
        self._wrap, self._turn = wrap, turn
        self.failure: Exception | None = None
        self.lost = self._said = 0
        self._environment = environment
        self._lossy = lossy
        self._most_bytes = most_bytes or (_MOST_BYTES if lossy else _MOST_BYTES_KEPT)
        self._on_failure = on_failure
        self._queue: deque[_Entry] = deque()
        self._writing: _Entry | None = None
        self._cut: _Entry | None = None
        self._bytes = self._messages = self._dropped = self._steps = 0
        self._dropping = self._closed = self._finished = False
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._aside: threading.Thread | None = None

    @contextmanager
    def taking_log(self, log: Callable[[bytes], None] | None = None) -> Iterator[None]:
        """Have the log of the environment come here, or to `log`, which passes it on; at the end, close.

        The log is given back then, unless its reader takes nothing: later lines wait for nobody and may be dropped.
        """
        environment = self._environment
        environment.sink, before = log or self.log, environment.sink
        try:
            yield
        finally:
            self.close()
            environment.sink = before if self._finished else self.log

    def put(self, render: Render, messages: int, size: int) -> None:
        """Show what `render` gives: `messages` of them, about `size` bytes. Returns at once; drops what is too much."""
        if self.direct:
            self._write(render)
            return
        with self._condition:
            if self.failure is not None or self._closed:
                return
            if messages and self._is_full():
                self._dropped += messages
                self.lost += messages
                return
            self._put_dropped()
            self._queue.append(_Entry(render, messages, size))
            self._bytes += size
            self._messages += messages
            if self._thread is None:
                # Drawing for a terminal takes long, and must let go when a request is to be answered.
                sys.setswitchinterval(_TURN)
                self._thread = threading.Thread(target=self._run, name="output", daemon=True)
                self._thread.start()
            self._condition.notify()

    def discard(self) -> None:
        """Do not show the messages not written yet, from the next line on, and say so; what is put later is shown."""
        with self._condition:
            if not self._messages:
                return
            self._bytes -= sum(entry.size for entry in self._queue)
            self._messages -= sum(entry.messages for entry in self._queue)
            self._dropped = 0
            self._cut = self._writing
            self._queue.clear()
            self._queue.append(_Entry(lambda: (self._environment.warning(_DISCARDED), b""), 0, 0))

    async def written(self, broken: asyncio.Future[Any]) -> None:
        """Wait until everything that was put so far is written, or `broken` is done."""
        import asyncio  # loaded by all who can wait; a pump alone needs none

        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def after_the_rest() -> Rendered:
            loop.call_soon_threadsafe(done.set)
            return b"", b""

        self.put(after_the_rest, 0, 0)
        waiting = loop.create_task(done.wait())
        await asyncio.wait((waiting, broken), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    def log(self, data: bytes) -> None:
        """A line of the log, in its place among the messages; an `Environment.sink`."""
        if self._finished or (self.direct and self.failure is not None):
            with suppress(OSError):
                write_all(self._environment.stderr, data)
        elif self._closed or self.failure is not None:
            self._write_aside(data)
        else:
            self.put(lambda: (data, b""), int(self._lossy), len(data))

    @property
    def rendering(self) -> bool:
        """Whether something is still to be rendered, which takes time from receiving."""
        return bool(self._queue) or (self._writing is not None and not self._writing.rendered)

    @property
    def behind(self) -> bool:
        """Whether a user that can wait should, before there is more to show."""
        return self._bytes > _MOST_BYTES or self._messages > _MOST_MESSAGES

    @property
    def waiting(self) -> bool:
        """Whether messages wait to be written."""
        return bool(self._messages)

    def close(self, patience: float = _PATIENCE) -> None:
        """Write what is left, until none of it was taken for `patience` seconds; once closed, this does nothing.

        Lines of the log that come later are written at once, or dropped if they are not read.
        """
        with self._condition:
            if self._closed:
                return
            self._closed = True
            self._put_dropped()
            self._condition.notify()
        thread, steps = self._thread, -1
        while thread is not None and thread.is_alive() and steps != self._steps:
            steps = self._steps
            thread.join(patience)
        self._finished = thread is None or not thread.is_alive()
        if not self._finished:
            missing = self._messages + self.lost - self._said
            self._write_aside(self._environment.warning(_NOT_SHOWN % missing))

    def check(self) -> None:
        """Raises PynatsError if something could not be written."""
        if self.failure is not None:
            report = explain(self.failure)
            raise PynatsError(report.message, hint=report.hint)

    def _is_full(self) -> bool:
        """Once full, it is so until half of it was written: a few long gaps read better than many short ones."""
        part = 2 if self._dropping else 1
        self._dropping = self._bytes * part > self._most_bytes or (
            self._lossy and self._messages * part > _MOST_MESSAGES
        )
        return self._dropping

    def _put_dropped(self) -> None:
        """Say how many are missing, where they are missing."""
        count, self._dropped = self._dropped, 0

        def notice() -> Rendered:
            self._said += count
            return self._environment.warning(_NOT_SHOWN % count), b""

        if count:
            self._queue.append(_Entry(notice, 0, 0))

    def _write_aside(self, data: bytes) -> None:
        """Write to stderr in a thread, because it may be stuck as well; then nothing more is written to it."""
        if self._aside is not None and self._aside.is_alive():
            return

        def write() -> None:
            with suppress(OSError, ValueError):
                write_all(self._environment.stderr, data)

        self._aside = threading.Thread(target=write, daemon=True)
        self._aside.start()
        self._aside.join(_PATIENCE / 5)

    def _run(self) -> None:
        while True:
            with self._condition:
                if not self._queue:
                    self._put_dropped()
                while not self._queue and not self._closed:
                    self._condition.wait()
                if not self._queue:
                    return
                self._writing = entry = self._queue.popleft()
            self._write(entry.render)
            with self._condition:
                self._writing = None
                self._bytes -= entry.size
                self._messages -= entry.messages

    def _write(self, render: Render) -> None:
        if self.failure is not None:
            return
        try:
            log, data = render()
            if self._writing is not None:
                self._writing.rendered = True
            if self._wrap is not None:
                log = self._wrap(log)
            if self._turn is None:
                self._write_both(log, data)
            else:
                with self._turn:
                    self._write_both(log, data)
        except Exception as error:
            self.failure = from_stdout(error) if isinstance(error, OSError) else error
            self._on_failure(self.failure)

    def _write_both(self, log: bytes, data: bytes) -> None:
        progress = None if self.direct else self._step
        if log and not self._is_cut():
            with suppress(OSError):  # its reader went away; what matters is the data
                write_all(self._environment.stderr, log, progress)
        if data and not self._is_cut():
            write_all(self._environment.stdout, data, progress)

    def _step(self) -> bool:
        self._steps += 1
        return not self._is_cut()

    def _is_cut(self) -> bool:
        return self._cut is not None and self._cut is self._writing
