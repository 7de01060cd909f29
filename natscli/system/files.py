"""Files that are replaced whole: a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from natscli.errors import InputError


def check_target(path: str, where: str) -> None:
    """Refuse a file that cannot be written, before anything is sent.

    Raises:
        InputError: its folder does not exist or is not writable, it is a folder itself, read-only, or it has no name.
    """
    if path in ("", "-"):
        raise InputError(f"{path!r} is not the name of a file", where=where)
    folder = os.path.dirname(os.path.realpath(path) if os.path.islink(path) else path) or "."
    if os.path.isdir(path):
        raise InputError(f"{path!r} is a directory", where=where)
    if not os.path.isdir(folder):
        raise InputError(f"no such directory: {folder!r}", where=where)
    written = [path] if os.path.exists(path) else []
    if not all(os.access(one, os.W_OK) for one in (written if _is_special(path) else [*written, folder])):
        raise InputError(f"cannot write to {path!r}", where=where)


def write_whole(path: str, data: bytes) -> None:
    """Replace the file at `path` by `data`, at once; a device or a pipe, such as /dev/null, is written to.

    Raises:
        OSError: it could not be written; the old file is as it was.
    """
    try:
        if _is_special(path):
            with open(path, "ab") as special:
                special.write(data)
        else:
            _replace(os.path.realpath(path), data)
    except OSError as error:
        error.filename, error.filename2 = path, None
        raise


def _replace(target: str, data: bytes) -> None:
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:200]}.{os.urandom(4).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            with suppress(OSError):
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _is_special(path: str) -> bool:
    """Whether it is nothing that can be replaced. /dev/stdout is not, also when that is a file."""
    return path.startswith("/dev/") or (os.path.exists(path) and not os.path.isfile(path))
