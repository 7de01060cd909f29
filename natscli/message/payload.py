"""Where a request's payload comes from: the argument, a file, or standard input, whole or line by line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import BinaryIO

from natscli.errors import InputError

#: No nats-server accepts more than this (its own limit on `max_payload`), so reading more is pointless.
LARGEST = 64 * 1024 * 1024


def read_file(path: str) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: it cannot be read, or is larger than any server takes.
    """
    try:
        with open(path, "rb") as file:
            return read_all(file, path)
    except OSError as error:
        raise InputError(
            f"cannot read {path!r}: {(error.strerror or str(error)).lower()}", where="--body-file"
        ) from None


def read_all(stream: BinaryIO, where: str = "standard input") -> bytes:
    """All bytes of a stream.

    Raises:
        InputError: more than any server takes as one payload.
    """
    chunks, size = [], 0
    while chunk := stream.read(1 << 20):
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST:
            raise InputError(f"more than {LARGEST} bytes, no server takes that as one payload", where=where)
    return b"".join(chunks)


def read_lines(
    stream: BinaryIO, on_line: Callable[[bytes | None], object], ahead: int = 64
) -> Callable[[], None]:
    """Call `on_line` for each line, without its line break, and at last with None, from a thread of its own.

    The thread stays at most `ahead` lines ahead of what was taken: call the function that comes back for each
    line taken. It is a daemon, so a read that never returns cannot hold up the end of the program.
    """
    room = threading.Semaphore(ahead)

    def run() -> None:
        try:
            for line in stream:
                room.acquire()
                on_line(line.removesuffix(b"\n").removesuffix(b"\r"))
        except (OSError, ValueError):
            pass
        finally:
            on_line(None)

    threading.Thread(target=run, name="stdin", daemon=True).start()
    return room.release
