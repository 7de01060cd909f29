"""Keeps what handlers write to stdout and stderr out of the data: it goes to the log."""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from natscli.environment import Environment
from natscli.text import in_parts_for_people

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: Characters of a line after which its end is not waited for: there may be none, as with a dot for each request.
_LONGEST = 1000


def redirect_prints(environment: Environment) -> None:
    """From now on `print`, `logging` and warnings write to the log, where nothing from a request drives a terminal.

    What children write to their stdout goes to stderr.

    `environment.stdout` is what stdout was, under another number.
    """
    with suppress(OSError, ValueError):  # one that is closed has no number
        data, log = environment.stdout.fileno(), environment.stderr.fileno()
        environment.stdout.flush()
        environment.stdout = open(os.dup(data), "wb")  # noqa: SIM115
        os.dup2(log, data)
    sys.stdout, sys.stderr = LogStream(environment), LogStream(environment)


class LogStream(io.TextIOBase):
    """A text stream, each line of which becomes a line of the log; so do the bytes that are written to `buffer`."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._begun = threading.local()
        self.buffer = _Bytes(self)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        if len(rest) > _LONGEST:
            lines.append(rest)
            rest = ""
        self._begun.text = rest
        for line in lines:
            self._environment.log(line)
        return len(text)

    def flush(self) -> None:
        rest, self._begun.text = getattr(self._begun, "text", ""), ""
        if rest:
            self._environment.log(rest)


class _Bytes(io.BufferedIOBase):
    """What takes bytes for a text stream; what is not UTF-8 is written as `\\xff`."""

    def __init__(self, text: LogStream) -> None:
        self._text = text
        self._decoders = threading.local()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        decoder = getattr(self._decoders, "one", None)
        if decoder is None:
            decoder = self._decoders.one = in_parts_for_people()
        view = memoryview(data)
        self._text.write(decoder.decode(bytes(view)))
        return view.nbytes

    def flush(self) -> None:
        self._text.flush()
