"""Answers requests with the output of a command."""

from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from natscli.environment import Environment
from natscli.errors import InputError
from natscli.message.templates import Facts, Template, compile_command
from natscli.reply.header_lines import HeaderTemplates, header_block, header_lines
from natscli.reply.options import ReplyOptions, header_templates
from natscli.reply.responder import Failure
from natscli.reply.spawn import Spawner
from natscli.reply.threaded import Threaded
from natscli.wire.protocol import Message

#: Linux takes at most 128 KiB in one variable (MAX_ARG_STRLEN), its name included.
_LARGEST_VARIABLE = 128 * 1024 - 64
_SUBJECT, _BODY = b"NATS_REQUEST_SUBJECT=", b"NATS_REQUEST_BODY="
#: How long (seconds) killing waits for programs that are just being started.
_KILL_TIMEOUT = 1.0


class Command(Threaded):
    """A command line, each word a template; the request is its standard input."""

    def __init__(
        self, words: list[Template], environ: Mapping[str, str], header: HeaderTemplates, concurrency: int = 1
    ) -> None:
        """Check that there is something to run.

        Raises:
            InputError: the program is not found.
        """
        super().__init__(concurrency)
        try:
            self._spawner = Spawner()
        except OSError as error:
            raise InputError(str(error), where="--command") from None
        if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
            signal.signal(
                signal.SIGCHLD, signal.SIG_DFL
            )  # inherited; then nobody could ask how a program ended
        self._words = words
        self._header = header_lines(header)
        variables = [os.fsencode(f"{name}={value}") for name, value in environ.items()]
        self._environ = [v for v in variables if not v.startswith((_SUBJECT, _BODY))]
        self._path = environ.get("PATH")
        self._running: set[int] = set()
        self._starting = 0
        self._stopped = threading.Event()
        self._changed = threading.Condition()
        self._program = ""
        if words[0].is_static:
            name = os.fsdecode(words[0].format)
            self._program = shutil.which(name, path=self._path) or ""
            if not self._program:
                raise InputError(f"cannot run {name!r}: not found, or not executable", where="--command")

    def answer(self, request: Message, number: int, limit: int) -> tuple[Message, Failure | None]:
        """Run it for one request; blocks.

        More output than `limit` bytes is not read: the command's pipe is closed, as `head` does.
        """
        subject, reply, _, payload = request
        facts = Facts(number, subject, payload)
        try:
            argv = [word.fill(facts) for word in self._words]
            status, output = self._run(argv, subject, payload, limit)
        except Exception as error:  # whatever it is, the requester gets an answer
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            output, problem = b"", f"cannot run the command: {reason.lower()}"
        else:
            problem = _status_words(status) if status else ""
            if output is None:  # then the status only says what the closed pipe did to it
                output = b""
                problem = f"the output has more than {limit} bytes, which is all the server takes"
        if problem:
            failure = Failure(500, problem)
            return failure.reply(request, output), failure
        return (reply, b"", header_block(self._header.fill(facts)), output), None

    def kill(self) -> None:
        """Kill what runs, with all it started itself, and run nothing more."""
        super().kill()
        with self._changed:
            self._stopped.set()
            # Those have no number yet, and the program may end before their threads run again.
            self._changed.wait_for(lambda: not self._starting, _KILL_TIMEOUT)
            for pid in self._running:
                with suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)

    def _run(self, argv: list[bytes], subject: bytes, payload: bytes, limit: int) -> tuple[int, bytes | None]:
        environ = [*self._environ, _SUBJECT + subject]
        fits = len(payload) <= _LARGEST_VARIABLE and b"\0" not in payload
        with _standard_input(payload) as stdin:
            try:
                pid, stdout = self._spawn(argv, [*environ, _BODY + payload] if fits else environ, stdin)
            except OSError as error:
                # All variables and arguments together have a limit too; the payload is on stdin anyway.
                if error.errno != errno.E2BIG or not fits:
                    raise
                pid, stdout = self._spawn(argv, environ, stdin)
        try:
            output = _read(stdout, limit)
        finally:
            os.close(stdout)
            # Not reaped while somebody may kill it, so that its number is not another's yet.
            try:
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            finally:
                with self._changed:
                    self._running.discard(pid)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status, output

    def _spawn(self, argv: list[bytes], environ: list[bytes], stdin: int) -> tuple[int, int]:
        """Start it; gives its number and what it writes to."""
        program = self._program or shutil.which(os.fsdecode(argv[0]), path=self._path)
        if not program:
            raise FileNotFoundError(errno.ENOENT, "not found, or not executable", argv[0])
        stdout, written = os.pipe()
        try:
            pid = self._begin(os.fsencode(program), argv, environ, stdin, written)
        except BaseException:
            os.close(stdout)
            raise
        finally:
            os.close(written)
        return pid, stdout

    def _begin(self, program: bytes, argv: list[bytes], environ: list[bytes], stdin: int, stdout: int) -> int:
        """Start it so that `kill` knows of it all the time: it may come between the start and the number."""
        with self._changed:
            if self._stopped.is_set():
                raise InterruptedError(errno.EINTR, "stopped")
            self._starting += 1
        pid = 0
        try:
            pid = self._spawner(program, argv, environ, stdin, stdout)
        finally:
            with self._changed:
                self._starting -= 1
                if pid:
                    self._running.add(pid)
                    if self._stopped.is_set():  # whoever killed may have stopped waiting for this one
                        with suppress(OSError):
                            os.killpg(pid, signal.SIGKILL)
                self._changed.notify_all()
        return pid


@contextmanager
def _standard_input(payload: bytes) -> Iterator[int]:
    """A descriptor that gives the payload, while nobody has to feed it: a pipe that holds it all, or else a file."""
    if len(payload) <= select.PIPE_BUF:
        stdin, feed = os.pipe()
        try:
            os.write(feed, payload)
            os.close(feed)
            yield stdin
        finally:
            os.close(stdin)
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            view = memoryview(payload)
            while view:
                view = view[file.write(view) :]
            file.seek(0)
            yield file.fileno()


def _read(descriptor: int, limit: int) -> bytes | None:
    """All that comes, or None once it is more than `limit` bytes."""
    chunks, size = [], 0
    while chunk := os.read(descriptor, 1 << 16):
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _status_words(status: int) -> str:
    if status > 0:
        return f"command failed: exit status {status}"
    return f"command failed: killed by signal {-status}"


def build(options: ReplyOptions, environment: Environment) -> Command:
    """Answer with the output of --command.

    Raises:
        InputError: quotes that do not close, an unknown template, or a program that is not found.
    """
    words = compile_command(options.command or "", "--command", enabled=options.templates)
    return Command(words, environment.environ, header_templates(options), options.processes_at_once)
