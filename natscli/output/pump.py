"""Writes what was received without ever holding up who answers.

Regular files take whatever comes, so they are written at once. Terminals, pipes and sockets may stop taking for as
long as they like, so a thread writes to them. A `lossy` pump drops what does not fit meanwhile and says how much;
one that is not tells its user to wait.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Callable
from typing import BinaryIO

from natscli.environment import Environment

#: What is written: the story for stderr, and data for stdout.
Rendered = tuple[bytes, bytes]
Render = Callable[[], Rendered]

_MOST_BYTES = 4 * 1024 * 1024
_MOST_MESSAGES = 10_000
#: At the end, how long (seconds) to wait for a reader that takes nothing at all.
_PATIENCE = 1.0


def same_target(first: BinaryIO, second: BinaryIO) -> bool:
    """Whether two streams are the same file, pipe or terminal, so that their lines must keep their order."""
    try:
        return os.path.samestat(os.fstat(first.fileno()), os.fstat(second.fileno()))
    except (OSError, ValueError):
        return False


def never_blocks(stream: BinaryIO) -> bool:
    """Whether writing to `stream` cannot wait for somebody: a regular file, `/dev/null`, or memory."""
    try:
        fd = stream.fileno()
        return stat.S_ISREG(os.fstat(fd).st_mode) or os.path.samestat(os.fstat(fd), os.stat(os.devnull))
    except (OSError, ValueError):
        return True


def write_all(stream: BinaryIO, data: bytes) -> None:
    """Write all of `data` to the file behind `stream`, past Python's buffer and its lock.

    Raises:
        OSError: as the system says; BrokenPipeError when the reader went away.
    """
    try:
        fd = stream.fileno()
    except (OSError, ValueError):
        stream.write(data)
        return
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class Pump:
    """The way out for everything that is shown while messages come in."""

    def __init__(
        self, environment: Environment, *, lossy: bool, on_failure: Callable[[OSError], None]
    ) -> None:
        self._environment = environment
        self._lossy = lossy
        self._on_failure = on_failure
        self._queue: deque[tuple[Render, int, int]] = deque()
        self._bytes = self._messages = self._dropped = 0
        self._busy = self._closing = self._broken = False
        self._condition = threading.Condition()
        self._direct = never_blocks(environment.stdout) and never_blocks(environment.stderr)
        self._thread: threading.Thread | None = None

    def put(self, render: Render, messages: int, size: int) -> None:
        """Show what `render` gives: `messages` of them, about `size` bytes. Returns at once; drops if lossy."""
        if self._direct:
            self._write(render)
            return
        with self._condition:
            if self._broken:
                return
            if self._lossy and (self._bytes > _MOST_BYTES or self._messages > _MOST_MESSAGES):
                self._dropped += messages
                return
            self._queue.append((render, messages, size))
            self._bytes += size
            self._messages += messages
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="output", daemon=True)
                self._thread.start()
            self._condition.notify()

    def story(self, data: bytes) -> None:
        """A line of the story, in its place among the messages; an `Environment.sink`."""
        self.put(lambda: (data, b""), 0, len(data))

    @property
    def behind(self) -> bool:
        """Whether a careful user waits before it makes more."""
        return self._bytes > _MOST_BYTES or self._messages > _MOST_MESSAGES

    def close(self) -> None:
        """Write what is left, as long as somebody takes it."""
        if self._thread is None:
            return
        with self._condition:
            self._closing = True
            self._condition.notify()
        left = -1
        while self._thread.is_alive() and left != (left := self._messages + self._bytes):
            self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._queue and not self._closing:
                    self._condition.wait()
                if not self._queue:
                    return
                render, messages, size = self._queue.popleft()
            self._write(render)
            with self._condition:
                self._bytes -= size
                self._messages -= messages
                dropped = 0
                if self._dropped and not self._queue:
                    dropped, self._dropped = self._dropped, 0
            if dropped:
                notice = f"pynats: {dropped} more were not shown: the output could not keep up\n".encode()
                self._write(lambda notice=notice: (notice, b""))  # type: ignore[misc]

    def _write(self, render: Render) -> None:
        if self._broken:
            return
        try:
            story, data = render()
            if story:
                write_all(self._environment.stderr, story)
            if data:
                write_all(self._environment.stdout, data)
        except OSError as error:
            self._broken = True
            self._on_failure(error)
