"""Answers requests with the output of a command."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Mapping

from natscli.duration import format_duration
from natscli.environment import Environment
from natscli.errors import InputError, reason
from natscli.message.header_lines import HeaderTemplates, header_block, header_lines
from natscli.message.message import Message
from natscli.message.templates import Facts, Template
from natscli.programs.once import Children, Ended
from natscli.programs.words import RefusedWordError, compile_command, fill, find
from natscli.reply.options import ReplyOptions, header_templates
from natscli.reply.responders.parts.threaded import Threaded
from natscli.reply.responders.responder import Failure

#: Linux takes at most 128 KiB in one variable (MAX_ARG_STRLEN), its name included.
_LARGEST_VARIABLE = 128 * 1024 - 64
_SUBJECT, _BODY = b"NATS_REQUEST_SUBJECT=", b"NATS_REQUEST_BODY="


class Commands(Threaded):
    """A command line, each word a template; the request is its standard input."""

    def __init__(
        self, words: list[Template], environ: Mapping[str, str], header: HeaderTemplates,
        concurrency: int = 1, timeout: float = math.inf,
    ) -> None:  # fmt: skip
        """Check that there is something to run. It may take `timeout` seconds.

        Raises:
            InputError: the program is not found, or this system cannot run it.
        """
        super().__init__(concurrency)
        try:
            self._children = Children(timeout)
        except OSError as error:
            raise InputError(str(error), where="--command") from None
        self._words = words
        self._header = header_lines(header)
        self._timeout = timeout
        variables = [os.fsencode(f"{name}={value}") for name, value in environ.items()]
        self._environ = [v for v in variables if not v.startswith((_SUBJECT, _BODY))]
        self._path = environ.get("PATH")
        self._program = ""
        if words[0].is_static:
            self._program = find(os.fsdecode(words[0].format), self._path, "--command")

    def answer(self, request: Message, number: int, limit: int) -> tuple[Message, Failure | None]:
        """Run it for one request; blocks.

        More output than `limit` bytes is not read: the command's pipe is closed, as `head` does.
        """
        subject, reply, _, payload = request
        facts = Facts(number, subject, payload)
        try:
            ended = self._run(fill(self._words, facts), subject, payload, limit)
        except Exception as error:  # whatever it is, the requester gets an answer
            failure = self._not_run(error)
            return failure.reply(request), failure
        output, failed = ended.output or b"", self._failure(ended, limit)
        if failed is not None:
            return failed.reply(request, output), failed
        return (reply, b"", header_block(self._header.fill(facts)), output), None

    def drain(self) -> None:
        self._children.end_within(self._timeout)

    def kill(self) -> None:
        super().kill()
        self._children.kill()

    def _run(self, argv: list[bytes], subject: bytes, payload: bytes, limit: int) -> Ended:
        program = self._program or shutil.which(os.fsdecode(argv[0]), path=self._path)
        if not program:
            raise FileNotFoundError(errno.ENOENT, "not found, or not executable", argv[0])
        environ, path = [*self._environ, _SUBJECT + subject], os.fsencode(program)
        if len(payload) <= _LARGEST_VARIABLE and b"\0" not in payload:
            try:
                return self._children.run(path, argv, [*environ, _BODY + payload], payload, limit)
            except OSError as error:
                # All variables and arguments together have a limit too; the payload is on stdin anyway.
                if error.errno != errno.E2BIG:
                    raise
        return self._children.run(path, argv, environ, payload, limit)

    def _failure(self, ended: Ended, limit: int) -> Failure | None:
        if ended.timed_out:
            return self._timed_out()
        if ended.output is None:  # the status only says what the closed pipe did to it
            return Failure(500, f"the output has more than {limit} bytes, which is all the server takes")
        if ended.status > 0:
            return Failure(500, f"command failed: exit status {ended.status}")
        return Failure(500, f"command failed: killed by signal {-ended.status}") if ended.status else None

    def _timed_out(self) -> Failure:
        return Failure(504, f"the command did not end within {format_duration(self._timeout)}")

    def _not_run(self, error: Exception) -> Failure:
        if isinstance(error, RefusedWordError):
            return Failure(400, "the request would become an option of the command")
        if isinstance(error, TimeoutError):
            return self._timed_out()
        return Failure(500, f"cannot run the command: {reason(error)}")


def build(options: ReplyOptions, environment: Environment) -> Commands:
    """Answer with the output of --command.

    Raises:
        InputError: quotes that do not close, an unknown template, words for a shell, or no such program.
    """
    words = compile_command(options.command or "", "--command", enabled=options.templates)
    return Commands(words, environment.environ, header_templates(options), options.commands_at_once,
                   options.command_timeout)  # fmt: skip
