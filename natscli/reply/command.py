"""Answers requests with the output of a command."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.templates import Facts, Template
from natscli.reply.responders import HeaderTemplates, filled
from natscli.wire import Message

#: Linux takes at most 128 KiB in one variable (MAX_ARG_STRLEN), its name included.
_LARGEST_VARIABLE = 128 * 1024 - 64


class Command:
    """A command line, each word a template; the request is its standard input."""

    def __init__(self, words: list[Template], environ: Mapping[str, str], header: HeaderTemplates) -> None:
        """Check that there is something to run.

        Raises:
            InputError: the program is not found.
        """
        self._words = words
        self._header = header
        self._environ = {os.fsencode(k): os.fsencode(v) for k, v in environ.items()}
        self._search = environ.get("PATH")
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._program: str | None = None
        if words[0].is_static:
            name = os.fsdecode(words[0].format)
            self._program = shutil.which(name, path=self._search)
            if self._program is None:
                raise InputError(f"cannot run {name!r}: not found, or not executable", where="--command")

    def answer(self, message: Message, number: int) -> tuple[Message, str]:
        """Run it for one request; blocks. Gives the reply, and what went wrong or an empty string."""
        subject, reply, _, payload = message
        facts = Facts(number, subject, payload)
        argv = [os.fsdecode(word.fill(facts)) for word in self._words]
        try:
            status, output = self._run(argv, subject, payload)
            problem = _status_words(status)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            output, problem = b"", f"cannot run: {reason.lower()}"
        if problem:
            return (reply, b"", headers.service_error(problem, 500), output), problem
        return (reply, b"", headers.encode(filled(self._header, facts)) or None, output), ""

    def kill(self) -> None:
        """Kill what runs, and run nothing more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()

    def _run(self, argv: list[str], subject: bytes, payload: bytes) -> tuple[int, bytes]:
        environ = {**self._environ, b"NATS_REQUEST_SUBJECT": subject}
        if len(payload) <= _LARGEST_VARIABLE and b"\0" not in payload:
            environ[b"NATS_REQUEST_BODY"] = payload
        try:
            return self._spawn(argv, environ, payload)
        except OSError as error:
            # All variables and arguments together have a limit too; the payload is on stdin anyway.
            if error.errno != errno.E2BIG or b"NATS_REQUEST_BODY" not in environ:
                raise
            del environ[b"NATS_REQUEST_BODY"]
            return self._spawn(argv, environ, payload)

    def _spawn(self, argv: list[str], environ: dict[bytes, bytes], payload: bytes) -> tuple[int, bytes]:
        # A file as standard input instead of a pipe: nobody has to feed it while the output is read. With the full
        # path and close_fds=False (Python's own descriptors are not inheritable) subprocess uses posix_spawn.
        program = self._program or shutil.which(argv[0], path=self._search)
        if program is None:
            raise FileNotFoundError(errno.ENOENT, "not found, or not executable", argv[0])
        with tempfile.TemporaryFile() if payload else open(os.devnull, "rb") as stdin:
            if payload:
                stdin.write(payload)
                stdin.seek(0)
            with self._lock:
                if self._stopped:
                    raise InterruptedError(errno.EINTR, "stopped")
                process = subprocess.Popen(
                    argv, executable=program, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    close_fds=sys.platform == "win32", env=environ,
                )  # fmt: skip
                self._running.add(process)
        try:
            assert process.stdout is not None
            with process.stdout as stdout:
                output = stdout.read()
            return process.wait(), output
        finally:
            with self._lock:
                self._running.discard(process)


def _status_words(status: int) -> str:
    if status == 0:
        return ""
    return (
        f"command failed: exit status {status}"
        if status > 0
        else f"command failed: killed by signal {-status}"
    )
