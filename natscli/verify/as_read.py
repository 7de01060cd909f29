"""What was read of a file, so that who reads it again can tell whether it is still the same."""

from __future__ import annotations

from natscli.message.records.reading import Found


class AsRead:
    """The values of a file, and what was between them, in their order: `count` of them, and a hash of it all."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = 0

    def add(self, found: Found) -> None:
        """Take the next one."""
        self.count += 1
        self._hash = hash((self._hash, found.before, found.written))

    def is_same(self, other: AsRead) -> bool:
        """Whether both have read the same."""
        return (self.count, self._hash) == (other.count, other._hash)
