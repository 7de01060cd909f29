"""`--translate`: what a command makes of a payload is shown instead of it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping

from natscli.errors import InputError, PynatsError

_SUBJECT = re.compile(r"\{\{\s*\.?Subject\s*\}\}")


class Translator:
    """A command line that gets a payload on stdin; `{{Subject}}` in it is the request's subject, one word."""

    def __init__(self, line: str, environ: Mapping[str, str]) -> None:
        """Split the line.

        Raises:
            InputError: quotes that do not close, or a program that is not there.
        """
        try:
            self._words = shlex.split(_SUBJECT.sub("{{Subject}}", line))
        except ValueError as error:
            raise InputError(f"cannot split the command: {str(error).lower()}", where="--translate") from None
        if not self._words or shutil.which(self._words[0], path=environ.get("PATH")) is None:
            name = self._words[0] if self._words else line
            raise InputError(f"cannot run {name!r}: not found, or not executable", where="--translate")

    def run(self, payload: bytes, subject: str) -> bytes:
        """What the command wrote on its stdout and stderr.

        Raises:
            PynatsError: it failed; the error says what it wrote.
        """
        words = [word.replace("{{Subject}}", subject) for word in self._words]
        try:
            done = subprocess.run(
                words, input=payload, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
            )
        except OSError as error:
            raise PynatsError(f"cannot run {words[0]!r}: {error.strerror}", where="--translate") from None
        if done.returncode:
            said = " ".join(done.stdout.decode("utf-8", "replace").split())[:200]
            raise PynatsError(
                f"the command failed with status {done.returncode}: {said}".rstrip(": "), where="--translate"
            )
        return done.stdout
