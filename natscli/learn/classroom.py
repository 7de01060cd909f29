"""Where the commands of the walkthrough run: a server, a folder and contexts of their own, all gone at the end."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from types import FrameType
from typing import BinaryIO

from natscli.errors import PynatsError
from natscli.learn.step import Attempt, Seen, Step
from natscli.system.signals import on_end
from natscli.text import for_people

#: Seconds: until a program is ready, until a command that ends by itself has ended, and for one that is asked to end.
_READY, _LONGEST, _ENDING = 10.0, 20.0, 3.0
#: Seconds for what a listener shows of the last request, after it was answered.
_SHOWING = 0.3
#: What the log of a listener says when it listens.
_LISTENS = ("Listening on", "Watching", "Subscribed to")
#: Bytes that are kept of what a program writes.
_MOST_KEPT = 64 * 1024


class Program:
    """A pynats command that runs, in a process group of its own; what it writes is kept."""

    def __init__(self, words: Sequence[str], folder: str, environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "natscli", *words], cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._parts = (bytearray(), bytearray())
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        streams = zip((self._process.stdout, self._process.stderr), self._parts, strict=True)
        self._readers = [threading.Thread(target=_keep, args=pair, daemon=True) for pair in streams]
        for reader in self._readers:
            reader.start()

    @property
    def seen(self) -> Seen:
        """What it has written so far."""
        stdout, log = (for_people(bytes(part)) for part in self._parts)
        return Seen(stdout, log, self._process.poll())

    def wait_until(self, is_so: Callable[[Seen], bool], seconds: float) -> bool:
        """Wait until what it wrote is so, or it has ended; whether it is so."""
        deadline = time.monotonic() + seconds
        while not is_so(self.seen) and self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        return is_so(self.seen)

    def wait(self, seconds: float) -> Seen:
        """What it wrote, once it has ended, or the time is over."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            self._read_on()
        return self.seen

    def end(self) -> Seen:
        """Ask it to end, and see that it does; what it wrote."""
        if self._process.poll() is None:
            with suppress(OSError):
                self._process.terminate()
            try:
                self._process.wait(_ENDING)
            except subprocess.TimeoutExpired:
                self._kill()
        self._read_on()
        return self.seen

    def _kill(self) -> None:
        with suppress(OSError):
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _read_on(self) -> None:
        for reader in self._readers:
            reader.join(1.0)


def _keep(stream: BinaryIO, kept: bytearray) -> None:
    with stream:
        while chunk := stream.read1(4096):  # type: ignore[attr-defined]
            if len(kept) < _MOST_KEPT:
                kept += chunk


class Classroom:
    """A server on a free port, a folder to work in, and a configuration folder; `url` is that of the server.

    It is a context manager. Nothing of the person's own is read or changed: neither contexts nor NATS_* variables.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._stack = ExitStack()
        self._environ = {name: value for name, value in environ.items() if not name.startswith("NATS_")}
        self._environ.pop("CLICOLOR_FORCE", None)
        self.url = ""

    def __enter__(self) -> Classroom:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> None:
        """Start the server.

        Raises:
            PynatsError: it cannot be started.
        """
        base = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pynats-learn-"))
        self._folder, config = (os.path.join(base, name) for name in ("work", "config"))
        os.mkdir(self._folder)
        self._environ["XDG_CONFIG_HOME"] = config
        server = self._start(["server", "run", "--port", "-1"], self._environ)
        server.wait_until(lambda seen: bool(seen.stdout), _READY)
        seen = server.seen
        self.url = seen.stdout.strip()
        if not self.url:
            server.end()
            last = [line for line in server.seen.log.splitlines() if line][-2:]
            raise PynatsError("cannot start a server to learn with", hint=" ".join(last))

    def attempt(self, step: Step, words: list[str]) -> Attempt:
        """Run the command `words`, without `pynats`, and all that belongs to the step, to the end."""
        environ = {**self._environ, **({"NATS_URL": self.url} if step.url else {})}
        for name, text in step.files.items():
            with open(os.path.join(self._folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        with ExitStack() as stack:
            beside = [self._beside(stack, command, environ) for command in step.beside]
            you = _started(stack, words, self._folder, environ)
            other = Seen("", "")
            if step.then:
                you.wait_until(_listens, _READY)
                other = _started(stack, self._words(step.then), self._folder, environ).wait(_LONGEST)
                time.sleep(_SHOWING)
                mine = you.end()
            else:
                mine = you.wait(_LONGEST)
                if mine.status is None:
                    mine = you.end()._replace(status=None)
                if beside:
                    other = beside[0].seen
            return Attempt(words, mine, other)

    def _beside(self, stack: ExitStack, command: str, environ: Mapping[str, str]) -> Program:
        program = _started(stack, self._words(command), self._folder, environ)
        if self._words(command)[0] != "request":
            program.wait_until(_listens, _READY)
        return program

    def _start(self, words: Sequence[str], environ: Mapping[str, str]) -> Program:
        return _started(self._stack, words, self._folder, environ)

    def _words(self, command: str) -> list[str]:
        return shlex.split(command.replace("{url}", self.url))[1:]


def _listens(seen: Seen) -> bool:
    return any(words in seen.log for words in _LISTENS)


def _started(stack: ExitStack, words: Sequence[str], folder: str, environ: Mapping[str, str]) -> Program:
    """A program that `stack` ends; a signal that comes while it starts is heeded once that is sure."""
    came: list[tuple[int, FrameType | None]] = []
    before = on_end(lambda number, frame: came.append((number, frame)))
    try:
        program = Program(words, folder, environ)
        stack.callback(program.end)
        return program
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number, frame in came[:1]:
            heed = before[number]
            if callable(heed):
                heed(number, frame)
            else:
                signal.raise_signal(number)
