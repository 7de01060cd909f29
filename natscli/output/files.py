"""Payloads in files, each written whole: a reader sees the old file or the new one, never a part."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from natscli.errors import InputError
from natscli.output.replies import Reply


def check_target(path: str, where: str) -> None:
    """Refuse a file that cannot be written, before anything is sent.

    Raises:
        InputError: its folder does not exist or is not writable, or it is a folder itself.
    """
    folder = os.path.dirname(path) or "."
    if os.path.isdir(path):
        raise InputError(f"{path!r} is a directory", where=where)
    if not os.path.isdir(folder):
        raise InputError(f"no such directory: {folder!r}", where=where)
    if not os.access(folder, os.W_OK):
        raise InputError(f"cannot write to the directory {folder!r}", where=where)


def write_whole(path: str, data: bytes) -> None:
    """Replace the file at `path` by `data`, at once.

    Raises:
        OSError: it could not be written; the old file is as it was.
    """
    folder, name = os.path.split(os.path.realpath(path))
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path if not os.path.islink(path) else os.path.realpath(path))
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def saver(pattern: str, *, many_requests: bool, many_replies: bool) -> Callable[[Reply], bytes]:
    """Writes the payload of each reply to a file of its own and leaves nothing for stdout.

    `{n}` in `pattern` is the number of the request, that of the reply to the only one, or both: `2.1`.
    """

    def save(reply: Reply) -> bytes:
        numbers = [str(reply.request)] if many_requests else []
        numbers += [str(reply.number)] if many_replies or not many_requests else []
        write_whole(pattern.replace("{n}", ".".join(numbers)), reply.payload)
        return b""

    return save
