"""Writing to streams that may be files, pipes or terminals."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from natscli.environment import Environment


#: Bytes of one write. Each that was taken counts as progress.
_CHUNK = 32 * 1024


def same_target(first: BinaryIO, second: BinaryIO) -> bool:
    """Whether two streams are the same file, pipe or terminal, so that their lines must keep their order.

    In `/dev/null` there is no order; one of the two may be a stream that was closed.
    """
    try:
        one, other = os.fstat(first.fileno()), os.fstat(second.fileno())
        if not one.st_ino:  # Windows numbers no console and no pipe; a program has one console
            return first.isatty() and second.isatty()
        return os.path.samestat(one, other) and not _is_null(one)
    except (OSError, ValueError):
        return False


def never_blocks(stream: BinaryIO) -> bool:
    """Whether writing to `stream` cannot wait for a reader: a regular file, `/dev/null`, or memory."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return True
    return stat.S_ISREG(status.st_mode) or _is_null(status)


def _is_null(status: os.stat_result) -> bool:
    # The number is 0 for every pipe and device of Windows.
    return status.st_ino != 0 and os.path.samestat(status, os.stat(os.devnull))


def write_all(stream: BinaryIO, data: bytes, progress: Callable[[], bool] | None = None) -> None:
    """Write all of `data` to the file behind `stream`, past Python's buffer and its lock.

    `progress` is called whenever some of it was taken, and says whether to go on; without, it is written in one piece.
    When it ends early, that is after a whole line, where there are lines.

    Raises:
        OSError: as the system says; BrokenPipeError when the reader went away.
    """
    try:
        fd = stream.fileno()
    except (OSError, ValueError):
        stream.write(data)
        return
    # Not `os.write`: on a Windows console it takes the bytes for text in the console's old code page, not for UTF-8.
    write: Callable[[memoryview], int | None] = getattr(stream, "raw", stream).write
    view, start = memoryview(data), 0
    while start < len(data):
        end = _line_end(data, start) if progress else len(data)
        while start < end:
            written = write(view[start:end])
            if written is None:  # another process made it non-blocking: terminals and pipes are shared
                select.select([], [fd], [])
            start += written or 0
        if progress and not progress():
            return


def _line_end(data: bytes, start: int) -> int:
    """Where a write that begins at `start` ends: after the last line that is whole within `_CHUNK` bytes, if any is."""
    end = start + _CHUNK
    return len(data) if end >= len(data) else data.rfind(b"\n", start, end) + 1 or end


def write_file(path: str, data: bytes, environment: Environment) -> None:
    """Replace the file at `path` by `data`; `-` is stdout.

    Raises:
        OSError: it could not be written.
    """
    write_file_parts(path, (data,), environment)


def write_file_parts(path: str, parts: Iterable[bytes], environment: Environment) -> None:
    """Replace the file at `path` by what `parts` are together, which need not be in memory at once; `-` is stdout.

    Raises:
        OSError: it could not be written.
    """
    if path == "-":
        for part in parts:
            environment.write(part)
    else:
        from natscli.system.files import write_parts

        write_parts(path, parts)
