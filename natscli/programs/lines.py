"""Where lines end in what a program writes."""

from __future__ import annotations


class Lines:
    """Splits what comes into lines. Of a line longer than `most` bytes only a part is kept, which is longer too."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._begun: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends."""
        *lines, rest = data.split(b"\n")
        if lines and self._begun:
            self._keep(lines[0])
            lines[0] = b"".join(self._begun)
            self._begun.clear()
            self._size = 0
        if rest:
            self._keep(rest)
        return lines

    def end(self) -> list[bytes]:
        """What came after the last line end, if anything."""
        return self.feed(b"\n") if self._begun else []

    def _keep(self, part: bytes) -> None:
        if self._size <= self.most:
            self._begun.append(part)
            self._size += len(part)
