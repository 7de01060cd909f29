"""`--translate`: what a command makes of a payload is shown instead of it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from subprocess import PIPE, Popen

from natscli.errors import PynatsError, reason
from natscli.message.templates import Facts
from natscli.programs.words import RefusedWordError, compile_command, fill, find
from natscli.text import for_programs

_WHERE = "--translate"
#: The exit status of a command, its stdout and its stderr; or why there is none. ValueError is for a NUL in a word.
_Outcome = tuple[int, bytes, bytes] | OSError | ValueError


class Translator:
    """A command line that gets a payload on stdin; `{{Subject}}` in it is the request's subject, part of one word.

    The command runs in a daemon thread, which is not waited for at the end: asyncio's own subprocesses cannot be
    relied on to end when they are cancelled.
    """

    def __init__(self, line: str, environ: Mapping[str, str]) -> None:
        """Split the line.

        Raises:
            InputError: quotes that do not close, an unknown template, words for a shell, or no such program.
        """
        self._words = compile_command(line, _WHERE, translate=True)
        self._lock = threading.Lock()
        self._process: Popen[bytes] | None = None
        self._stopped = False
        if self._words[0].is_static:
            find(os.fsdecode(self._words[0].format), environ.get("PATH"), _WHERE)

    async def run(self, payload: bytes, subject: str) -> tuple[bytes, str]:
        """What the command wrote, on stdout and on stderr. It is killed when the task is cancelled.

        Raises:
            PynatsError: it failed; the error says what it wrote on stderr.
        """
        try:
            words = [os.fsdecode(word) for word in fill(self._words, Facts(0, subject.encode()))]
        except RefusedWordError as error:
            raise PynatsError(f"the command was not run: {error}", where=_WHERE) from None
        loop = asyncio.get_running_loop()
        result: asyncio.Future[_Outcome] = loop.create_future()

        def work() -> None:
            outcome = self._communicate(words, payload)
            with suppress(RuntimeError):  # the loop is closed when the run was interrupted
                loop.call_soon_threadsafe(_settle, result, outcome)

        threading.Thread(target=work, name="translate", daemon=True).start()
        try:
            outcome = await result
        except asyncio.CancelledError:
            self._kill()
            raise
        if isinstance(outcome, Exception):
            raise PynatsError(f"cannot run {words[0]!r}: {reason(outcome)}", where=_WHERE)
        status, output, said = outcome
        errors = for_programs(said).strip()
        if status:
            why = f": {' '.join(errors.split())[:200]}" if errors else ""
            how = f"failed with status {status}" if status > 0 else f"was killed by signal {-status}"
            raise PynatsError(f"the command {how}{why}", where=_WHERE)
        return output, errors

    def _communicate(self, words: list[str], payload: bytes) -> _Outcome:
        try:
            with self._lock:
                if self._stopped:
                    return InterruptedError()
                process = self._process = Popen(words, stdin=PIPE, stdout=PIPE, stderr=PIPE)
            output, said = process.communicate(payload)
        except (OSError, ValueError) as error:
            return error
        return process.returncode, output, said

    def _kill(self) -> None:
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()


def _settle(result: asyncio.Future[_Outcome], outcome: _Outcome) -> None:
    if not result.done():
        result.set_result(outcome)
