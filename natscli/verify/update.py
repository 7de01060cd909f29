"""Writes new replies into the files of recordings: each file whole, and nothing else in it changes."""

from __future__ import annotations

from collections.abc import Iterator

from natscli.message.exchange import Outcome
from natscli.message.records.reading import Values
from natscli.message.records.writing import record_line
from natscli.system.files import write_parts
from natscli.system.scratch import Scratch
from natscli.verify.verified import VerifiedCase


class Update:
    """Keeps what came in place of what was recorded, until it is written.

    An exchange that got no reply is not changed: it says nothing of what the reply would be.
    """

    def __init__(self) -> None:
        self._lines = Scratch()
        self._places: dict[str, dict[int, tuple[int, int]]] = {}

    def add(self, result: VerifiedCase, came: float) -> bool:
        """Whether the new replies, which came at that time (seconds since 1970), will replace the recorded ones."""
        if not result.answers:
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
            InputError: one could not be read again.
        """
        self._lines.seek(0)  # what it does not take is no fault of the files
        for path, places in list(self._places.items()):
            with open(path, "rb") as file:
                write_parts(path, self._parts(Values(path, file), places))
            del self._places[path]

    def _parts(self, values: Values, places: dict[int, tuple[int, int]]) -> Iterator[bytes]:
        for position, found in enumerate(values):
            yield found.before.encode()
            if position in places:
                start, size = places[position]
                self._lines.seek(start)
                yield self._lines.read(size)
            else:
                yield found.written.encode()
        yield values.rest.encode()
