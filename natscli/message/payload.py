"""Where a payload comes from: the argument, a file, or standard input, whole or line by line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO

from natscli.errors import InputError, reason

#: nats-server takes at most this as its `max_payload` (bytes), so reading more is pointless.
LARGEST = 64 * 1024 * 1024

_STDIN = "standard input"
#: Seconds without a byte after which the log says what is waited for.
_QUIET = 1.0


def read_file(path: str) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: it cannot be read, or is larger than any server takes.
    """
    try:
        with open(path, "rb") as file:
            return read_all(file, "--body-file")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path!r}: {reason(error)}", where="--body-file") from None


def read_stdin(stream: BinaryIO, on_wait: Callable[[], object]) -> bytes:
    """All bytes of standard input, however long it takes; `on_wait` is called once if none come for a second.

    Raises:
        InputError: more than any server takes as one payload, or it cannot be read.
    """
    import select

    ready: Sequence[object] = (stream,)
    with suppress(OSError, ValueError):  # Windows only waits for sockets, and memory has no descriptor
        ready, _, _ = select.select([stream], [], [], _QUIET)
    if not ready:
        on_wait()
    return read_all(stream)


def read_all(stream: BinaryIO, where: str = _STDIN) -> bytes:
    """All bytes of a stream.

    Raises:
        InputError: more than any server takes as one payload, or `where` it comes from cannot be read.
    """
    chunks, size = [], 0
    try:
        for chunk in chunks_of(stream, 1 << 20):
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGEST:
                raise _too_large(where)
    except OSError as error:
        raise InputError(f"cannot read: {reason(error)}", where=where) from None
    return b"".join(chunks)


def read_lines(
    stream: BinaryIO, on_line: Callable[[bytes | InputError | None], object], ahead: int = 64
) -> Callable[[], object]:
    """Call `on_line` for each line, without its line break (LF or CRLF), from a thread of its own.

    At last it is called with None, or with an error that ended the lines. The thread stays at most `ahead` lines
    ahead of what was taken: call the function that comes back for each line taken. It is a daemon, so a read that
    never returns cannot hold up the end of the program.
    """
    room = threading.Semaphore(ahead)

    def run() -> None:
        last: InputError | None = None
        try:
            for line in _lines(stream):
                room.acquire()
                on_line(line)
        except InputError as error:
            last = error
        except (OSError, ValueError) as error:
            last = InputError(f"cannot read: {reason(error)}", where=_STDIN)
        on_line(last)

    threading.Thread(target=run, name="stdin", daemon=True).start()
    return room.release


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    parts: list[bytes] = []
    for chunk in chunks_of(stream, 1 << 16):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            parts.append(end)
            yield b"".join(parts).removesuffix(b"\r")
            parts.clear()
        if rest:
            parts.append(rest)
            if len(parts) << 16 > LARGEST and sum(map(len, parts)) > LARGEST:
                raise _too_large(_STDIN)
    if parts:
        yield b"".join(parts).removesuffix(b"\r")


def chunks_of(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """What comes of a stream, at most `size` bytes at a time, until its end."""
    # The file below the buffer: a thread that waits in a buffered read holds its lock, and Python dies of that at the
    # end of the program. For the buffer, the end and "nothing for now" are the same.
    source = getattr(stream, "raw", stream)
    while (chunk := source.read(size)) != b"":
        if chunk is None:  # another process made it non-blocking: pipes and terminals are shared
            import select

            select.select([source], [], [])
        else:
            yield chunk


def _too_large(where: str) -> InputError:
    return InputError(f"more than {LARGEST} bytes, no server takes that as one payload", where=where)
