"""A program that runs as long as it is needed: lines go to its standard input, lines come from its output."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from natscli.programs.lines import Lines
from natscli.system.signals import heed_children
from natscli.system.waiting import within

#: Seconds in which what is left in the pipes is read after the program has ended, though another holds them.
_GRACE = 0.1
#: Seconds for the program to end once its standard input is closed, and from SIGTERM to SIGKILL.
_CLOSE_TIMEOUT, _TERMINATE_TIMEOUT = 2.0, 1.0
#: Bytes that may wait for the program to read them.
_MOST_UNREAD = 1024 * 1024
#: Bytes of a line of stderr that are shown.
MOST_SHOWN = 1000

_STDIN, _STDOUT = 0, 1


class Child(asyncio.SubprocessProtocol):
    """One run of a program, in a process group of its own; a Ctrl-C is not for it.

    Whatever is called is called in the event loop: `on_output` with the lines of its stdout, of which those of more
    than `most` bytes are not complete; `on_log` with the lines of its stderr, `on_room` when it can take more, and at
    its end, once, `on_end` with the exit status (a negative one is the signal).
    """

    def __init__(
        self,
        most: int,
        on_output: Callable[[list[bytes]], None],
        on_log: Callable[[list[bytes]], None],
        on_room: Callable[[], None],
        on_end: Callable[[int], None],
    ) -> None:
        self._lines = (Lines(most), Lines(MOST_SHOWN))
        self._on_lines = (on_output, on_log)
        self._on_room = on_room
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.SubprocessTransport | None = None
        self._stdin: asyncio.WriteTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._killed = self._ending = False
        self._ended = asyncio.Event()
        self.has_room = False

    async def start(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        """Run the file `argv[0]`. Raises OSError: it cannot be started."""
        group: dict[str, Any]
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        else:
            group = {"start_new_session": True}
            heed_children()
        await self._loop.subprocess_exec(lambda: self, *argv, env=environ, **group)

    def write(self, data: bytes) -> None:
        """Whole lines for its standard input; what it does not take yet is kept, so look at `has_room` first."""
        assert self._stdin is not None
        self._stdin.write(data)

    def pause_output(self) -> None:
        """Read no more of its stdout, until `resume_output`."""
        self._read("pause_reading")

    def resume_output(self) -> None:
        """Read on, see `pause_output`."""
        self._read("resume_reading")

    def _read(self, step: str) -> None:
        stdout = self._transport.get_pipe_transport(_STDOUT) if self._transport is not None else None
        if stdout is not None and not stdout.is_closing():
            getattr(stdout, step)()

    async def finish(self) -> None:
        """Close its standard input and wait for its end, which signals bring about if it takes long."""
        self._end_within(_CLOSE_TIMEOUT)
        if self._stdin is not None:
            self._stdin.close()
        with suppress(asyncio.TimeoutError):  # not even SIGKILL ends what waits for a disk
            await within(_CLOSE_TIMEOUT + 2 * _TERMINATE_TIMEOUT, self._ended.wait())

    def kill(self) -> None:
        """End it at once, with all that it started."""
        self._killed = True
        self._signal("SIGKILL")

    # -- called by asyncio -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport
        stdin = transport.get_pipe_transport(_STDIN)
        assert isinstance(stdin, asyncio.WriteTransport)
        stdin.set_write_buffer_limits(_MOST_UNREAD)
        self._stdin, self.has_room = stdin, not self._ending
        if self._ending:
            stdin.close()
        if self._killed:
            self.kill()

    def pause_writing(self) -> None:
        self.has_room = False

    def resume_writing(self) -> None:
        self.has_room = not self._ending
        if self.has_room:
            self._on_room()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        lines = self._lines[fd - _STDOUT].feed(data)
        if lines:
            self._on_lines[fd - _STDOUT](lines)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        if fd >= _STDOUT and (rest := self._lines[fd - _STDOUT].end()):
            self._on_lines[fd - _STDOUT](rest)
        if fd <= _STDOUT:  # nothing more can be asked, or answered
            self._end_within(_CLOSE_TIMEOUT)

    def process_exited(self) -> None:
        self.has_room, self._ending = False, True
        self._set_timer(_GRACE, self._close)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        assert self._transport is not None
        self._signal("SIGKILL")
        if self._timer is not None:
            self._timer.cancel()
        self.has_room = False
        self._ended.set()
        self._on_end(self._transport.get_returncode() or 0)

    # -- the end ---------------------------------------------------------------------------------------------

    def _end_within(self, seconds: float) -> None:
        """Give the program nothing more, and terminate it if it has not ended after `seconds`."""
        self.has_room = False
        if not self._ending:
            self._ending = True
            self._set_timer(seconds, self._terminate)

    def _terminate(self) -> None:
        self._signal("SIGTERM")
        self._set_timer(_TERMINATE_TIMEOUT, self.kill)

    def _close(self) -> None:
        """Clean up after the end of the program; what it started may still run."""
        self.kill()
        if self._stdin is not None:
            self._stdin.abort()
        if self._transport is not None:
            self._transport.close()

    def _set_timer(self, seconds: float, action: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, action)

    def _signal(self, name: str) -> None:
        """Send a signal to its process group; Windows only ends the program itself."""
        if self._transport is None or self._ended.is_set():
            return
        with suppress(OSError):  # it has ended
            if sys.platform == "win32":
                self._transport.kill()
            else:
                os.killpg(self._transport.get_pid(), getattr(signal, name))
