"""`--translate`: what a command makes of a payload is shown instead of it."""

from __future__ import annotations

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE
from collections.abc import Mapping

from natscli.errors import InputError, PynatsError
from natscli.message.templates import Facts, compile_command

_WHERE = "--translate"


class Translator:
    """A command line that gets a payload on stdin; `{{Subject}}` in it is the request's subject, part of one word."""

    def __init__(self, line: str, environ: Mapping[str, str]) -> None:
        """Split the line.

        Raises:
            InputError: quotes that do not close, an unknown template, or a program that is not there.
        """
        self._words = compile_command(line, _WHERE, translate=True)
        name = os.fsdecode(self._words[0].format)
        if self._words[0].is_static and shutil.which(name, path=environ.get("PATH")) is None:
            raise InputError(f"cannot run {name!r}: not found, or not executable", where=_WHERE)

    async def run(self, payload: bytes, subject: str) -> tuple[bytes, str]:
        """What the command wrote, on stdout and on stderr. Killed when the task is cancelled.

        Raises:
            PynatsError: it failed; the error says what it wrote on stderr.
        """
        facts = Facts(0, subject.encode())
        words = [os.fsdecode(word.fill(facts)) for word in self._words]
        try:
            process = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        except OSError as error:
            raise PynatsError(f"cannot run {words[0]!r}: {error.strerror}", where=_WHERE) from None
        try:
            output, said = await process.communicate(payload)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        told = said.decode("utf-8", "replace").strip()
        if process.returncode:
            reason = f": {' '.join(told.split())[:200]}" if told else ""
            raise PynatsError(f"the command failed with status {process.returncode}{reason}", where=_WHERE)
        return output, told
