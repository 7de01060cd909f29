"""Writes new replies into the files of recordings: each file whole, and nothing else in it changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from natscli.errors import InputError, PynatsError
from natscli.message.exchange import Outcome
from natscli.message.records.reading import Found, Values
from natscli.message.records.writing import record_line
from natscli.system.files import is_at, write_parts
from natscli.system.locks import held
from natscli.system.scratch import Scratch
from natscli.verify.as_read import AsRead
from natscli.verify.verified import VerifiedCase

#: Why a file is left alone.
_CHANGED = "changed while it was verified"


class Update:
    """Keeps what came in place of what was recorded, until it is written.

    An exchange that got no reply is not changed: it says nothing of what the reply would be. Nor is one whose reply was
    too slow, which no record changes. A file of which other than the `read` is there by now is left alone; what was
    added to it stays.
    """

    def __init__(self, read: Mapping[str, AsRead]) -> None:
        self._read = read
        self._lines = Scratch()
        self._places: dict[str, dict[int, tuple[int, int]]] = {}

    def add(self, result: VerifiedCase, came: float) -> bool:
        """Whether the new replies, which came at that time (seconds since 1970), will replace the recorded ones."""
        if not result.updates:
            return False
        exchange = result.case.exchange._replace(
            answers=tuple(result.answers), outcome=Outcome.ANSWERED, came=came
        )
        line = record_line(exchange).rstrip()
        place = self._lines.seek(0, 2), len(line)
        self._lines.write(line)
        self._places.setdefault(result.case.file, {})[result.case.position] = place
        return True

    @property
    def waiting(self) -> int:
        """How many exchanges are not written."""
        return sum(map(len, self._places.values()))

    @property
    def unchanged(self) -> list[str]:
        """The files that they belong to."""
        return list(self._places)

    def write(self) -> None:
        """Write the files.

        Raises:
            OSError: one could not be written; it is as it was.
            PynatsError: one has changed, or cannot be read again.
        """
        self._lines.seek(0)  # what it does not take is no fault of the files
        for path, places in list(self._places.items()):
            with open(path, "r+b") as file, held(file.fileno()):
                if not is_at(path, file.fileno()):
                    raise PynatsError(_CHANGED, where=path)
                write_parts(path, self._parts(path, Values(path, file), places))
            del self._places[path]

    def _parts(self, path: str, values: Values, places: dict[int, tuple[int, int]]) -> Iterator[bytes]:
        read, again = self._read[path], AsRead()
        for position, found in enumerate(_those_that_were_read(values, read.count)):
            again.add(found)
            yield found.before.encode()
            if position in places:
                start, size = places[position]
                self._lines.seek(start)
                yield self._lines.read(size)
            else:
                yield found.written.encode()
        if not again.is_same(read):
            raise PynatsError(_CHANGED, where=path)
        yield from values.after(found)


def _those_that_were_read(values: Values, count: int) -> Iterator[Found]:
    """As many as were there before: what follows may be anything, such as half a line that is still written."""
    try:
        yield from islice(values, count)
    except InputError as error:
        raise PynatsError(f"{_CHANGED}: {error.what}", where=error.where) from None
