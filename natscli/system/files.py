"""Files that are replaced whole: a reader sees the old one or the new one, never a part. And reading with a bound."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress

from natscli.errors import InputError

#: How often something is tried that Windows refuses while another process has the file open: to read it, not for long.
_WINDOWS_TRIES = 50


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


def check_replaceable(path: str, where: str) -> None:
    """As `check_target`, where nothing can be added to what is there: the file is read, and replaced by another.

    Raises:
        InputError: see there; or it is a device, a pipe, or the name of an open file.
    """
    check_target(path, where)
    if _is_special(path):
        raise InputError(f"cannot replace {path!r}: not a regular file", where=where)


def check_apart(read: Iterable[tuple[str, str | None]], written: Iterable[tuple[str, str | None]]) -> None:
    """Refuse to write a file that is read too, or that another option writes: each an option, and the name it has.

    Links are followed. Two may write to standard output, a device or a pipe; `-` that is read is standard input.

    Raises:
        InputError: it names both options.
    """
    known: dict[Hashable, str] = {}
    for where, path in read:
        if path and (identity := _identity(path)) is not None:
            known.setdefault(identity, where)
    only_read = dict(known)
    for where, path in written:
        if not path or path == "-" or (identity := _identity(path)) is None:
            continue
        is_shared = _names_descriptor(path)
        if identity in (only_read if is_shared else known):
            raise InputError(f"{known[identity]} and {where} are the same file")
        if not is_shared:
            known[identity] = where


def is_at(path: str, descriptor: int) -> bool:
    """Whether `path` still leads to the open file; so it does on Windows, and where that cannot be seen."""
    if sys.platform == "win32":
        return True
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
    except OSError:
        return True


def write_whole(path: str, data: bytes, *, private: bool = False) -> None:
    """Replace the file at `path`, or what the link at `path` leads to, by `data`, at once.

    It keeps its owner and its permissions; a `private` one is for its owner only, whatever the umask, and there after a
    power cut. A device or a pipe, such as /dev/null, is written to.

    Raises:
        OSError: of `path`, it could not be written; the old file is as it was.
    """
    write_parts(path, (data,), private=private)


def write_parts(path: str, parts: Iterable[bytes], *, private: bool = False) -> None:
    """As `write_whole`, with what `parts` are together: they need not be in memory at once."""
    try:
        if not private and _is_special(path):
            from natscli.system.opening import open_to_write

            with open(path, "ab", opener=open_to_write) as special:
                special.writelines(parts)
        else:
            _replace(os.path.realpath(path) if os.path.islink(path) else path, parts, private)
    except OSError as error:
        error.filename, error.filename2 = path, None
        raise


def _replace(target: str, parts: Iterable[bytes], private: bool) -> None:
    temporary = os.path.join(os.path.dirname(target), f".pynats-{os.getpid()}-{os.urandom(4).hex()}.tmp")
    mode = 0o600 if private else 0o666
    try:
        with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, mode)) as file:
            kept = _keep_owner(target, temporary)
            if private:
                os.chmod(temporary, mode)  # the umask may have taken bits away
            elif kept is not None:
                with suppress(OSError):
                    os.chmod(temporary, kept)
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        _while_read(lambda: os.replace(temporary, target))
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    if private:
        _sync_folder(os.path.dirname(target) or ".")


def _keep_owner(target: str, new: str) -> int | None:
    """Give `new` the owner and the group of `target`, as far as that is permitted; the permissions that it has.

    None if there is none.
    """
    try:
        state = os.stat(target)
    except OSError:
        return None
    if sys.platform != "win32":
        for owner in (state.st_uid, -1):
            with suppress(OSError):
                os.chown(new, owner, state.st_gid)
                break
    return stat.S_IMODE(state.st_mode)


def remove(path: str, *, missing_ok: bool = False) -> None:
    """Remove the file at `path`.

    Raises:
        OSError: as of the system; FileNotFoundError unless `missing_ok`.
    """
    try:
        _while_read(lambda: os.unlink(path))
    except FileNotFoundError:
        if not missing_ok:
            raise


def rename(path: str, new: str) -> None:
    """Give the file at `path` the name `new`.

    Raises:
        OSError: as of the system.
    """
    _while_read(lambda: os.rename(path, new))


def read_regular(path: str, most: int) -> bytes:
    """The contents of the file at `path`, `most` bytes; it neither waits for a FIFO nor reads without end.

    Raises:
        InputError: it is no regular file, or too large.
        OSError: as of the system.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError("not a regular file", where=path)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise InputError(f"too large: the file has more than {most >> 20} MiB", where=path)
    return data


def make_private_folders(path: str) -> None:
    """Create `path` and its missing parents, each for the user only, whatever the umask."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:
        make_private_folders(parent)
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def _identity(path: str) -> Hashable | None:
    """What all names of a file share, also of one that does not exist yet; None for a device or a pipe."""
    try:
        state = os.fstat(0) if path == "-" else os.stat(path)
    except FileNotFoundError:
        return os.path.normcase(os.path.realpath(path))
    except (OSError, ValueError):
        return None
    return (state.st_dev, state.st_ino) if stat.S_ISREG(state.st_mode) and state.st_ino else None


def _is_special(path: str) -> bool:
    """Whether it is nothing that can be replaced: a device, a pipe, or a name of an open file, such as /dev/stdout."""
    return (os.path.exists(path) and not os.path.isfile(path)) or _names_descriptor(path)


def _names_descriptor(path: str) -> bool:
    """Whether `path`, or a link on its way, is the name of an open file: `/dev/fd/1`, or `/proc/self/fd/1` on Linux."""
    for _ in range(40):  # as many links as Linux follows
        folder = os.path.realpath(os.path.dirname(path))
        if os.path.isabs(path) and folder.startswith(("/proc/", "/dev/fd")):
            return True
        if not os.path.islink(path):
            return False
        path = os.path.join(folder, os.readlink(path))
    return False


def _while_read(change: Callable[[], None]) -> None:
    """Replace or remove a file, which on Windows fails while another process has it open: to read it, not for long.

    Raises:
        OSError: as of the system; PermissionError when it was open all the time.
    """
    if sys.platform == "win32":
        import time

        for _ in range(_WINDOWS_TRIES):
            with suppress(PermissionError):
                return change()
            time.sleep(0.01)
    return change()


def _sync_folder(folder: str) -> None:
    """Make the rename durable; where a folder cannot be opened or synced, the system has other ways."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
