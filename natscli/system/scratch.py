"""A file for what does not fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile, gettempdir


class Scratch:
    """A file without a name, in the folder for temporary files, gone with the process.

    `write` and `seek` raise an OSError that names that folder. All that was written is in the file after a `seek`.
    """

    def __init__(self) -> None:
        with _named():
            self._file = TemporaryFile()  # noqa: SIM115
        self.read, self.readline = self._file.read, self._file.readline

    def write(self, data: bytes) -> None:
        """Write `data` where the file is."""
        with _named():
            self._file.write(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset; gives it, from the beginning."""
        with _named():
            return self._file.seek(offset, whence)


@contextmanager
def _named() -> Iterator[None]:
    """Have an OSError say which folder it is about."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or gettempdir()
        raise
