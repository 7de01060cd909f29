"""Contexts on disk, in the files that the Go CLI uses (ADR-21).

`context/NAME.json` is a context, `context.txt` holds the name of the selected one, `previous-context.txt` the one
before. Readers never lock: every file is replaced whole. Writers hold a lock, so that a change made of a
read and a write is never lost to another pynats process; the Go CLI has no lock but replaces files too.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from natscli.contexts.format import Context, dump, parse
from natscli.errors import InputError, PynatsError

_LOCK_TIMEOUT = 10.0
_WINDOWS_TRIES = 50
#: Bytes that a file may have; contexts with embedded credentials have a few thousand.
_LARGEST = 1 << 20
#: The control characters; the last ones are bytes that could not be decoded.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\udc80-\udc9f]")


def validate_name(name: str) -> None:
    """Raises InputError unless `name` can name a context: not empty, no `/`, `\\`, `..` (as in the Go CLI).

    Nor control characters: such a name cannot be typed, would break lines of lists, and drive terminals; a byte that
    is no UTF-8 can be one of them too.
    """
    if not name:
        raise InputError("a context needs a name")
    if _CONTROL.search(name):
        raise InputError(f"invalid context name {name!r}: it contains a control character")
    for part in ("/", "\\", ".."):
        if part in name:
            raise InputError(f"invalid context name {name!r}: it contains {part!r}")
    if sys.platform == "win32":
        for part in ':*?"<>|':
            if part in name:
                raise InputError(f"invalid context name {name!r}: Windows allows no {part!r} in a file name")


class ContextStore:
    """The contexts in one configuration folder, `Environment.config_dir`."""

    def __init__(self, config_dir: str) -> None:
        self.config_dir = config_dir
        self._folder = os.path.join(config_dir, "context")
        self._selected = os.path.join(config_dir, "context.txt")
        self._previous = os.path.join(config_dir, "previous-context.txt")

    def names(self) -> list[str]:
        """The known names, sorted; empty files and names the Go CLI would refuse are left out, as there."""
        found = []
        try:
            entries = os.scandir(self._folder)
        except FileNotFoundError:
            return []
        with entries:
            for entry in entries:
                if not entry.name.endswith(".json") or entry.is_dir(follow_symlinks=False):
                    continue
                name = entry.name[: -len(".json")]
                try:
                    validate_name(name)
                    if entry.stat(follow_symlinks=False).st_size:
                        found.append(name)
                except (InputError, FileNotFoundError):
                    continue  # not a context, or removed this moment
        return sorted(found)

    def path(self, name: str) -> str:
        """Where the context is, or would be, kept. Raises InputError for an invalid name."""
        validate_name(name)
        return os.path.join(self._folder, f"{name}.json")

    def exists(self, name: str) -> bool:
        """Whether there is a file for `name`, whatever is in it. Raises InputError for an invalid name."""
        try:
            os.lstat(self.path(name))
        except (
            FileNotFoundError
        ):  # os.path.lexists would take a folder that may not be searched for an empty one
            return False
        return True

    def read(self, name: str) -> bytes:
        """The raw file contents, for `edit`.

        Raises:
            InputError: the name is invalid or unknown, or what it names is no file or too large for a context.
        """
        try:
            return _read(self.path(name))
        except FileNotFoundError:
            raise self._unknown(name) from None

    def load(self, name: str) -> Context:
        """The context called `name`.

        Raises:
            InputError: the name is invalid or unknown, or the file is corrupt.
        """
        return self._parsed(name, self.read(name))

    def _parsed(self, name: str, data: bytes) -> Context:
        try:
            return parse(data, self.path(name))
        except InputError as error:
            error.hint = _command("edit", name)
            raise

    def save(self, name: str, context: Context, *, instead_of: bytes | None = None) -> None:
        """Write the context.

        Raises:
            InputError: an invalid name; or the file no longer holds the bytes `instead_of`.
        """
        path = self.path(name)
        with self._lock():
            if instead_of is not None and self.read(name) != instead_of:
                raise InputError("the context was changed by another program meanwhile", where=path)
            _write(path, dump(context))

    def update(self, name: str, change: Callable[[Context | None], Context]) -> Context:
        """Replace the context by `change(context)`, of None if it is new or empty, as one step.

        Raises:
            InputError: an invalid name, or the existing file is corrupt; and whatever `change` raises.
        """
        path = self.path(name)
        with self._lock():
            data = b""
            with suppress(FileNotFoundError):
                data = _read(path)
            changed = change(self._parsed(name, data) if data else None)
            _write(path, dump(changed))
        return changed

    def remove(self, name: str) -> None:
        """Remove the context, and unselect it if it is the selected one.

        Raises:
            InputError: the name is invalid or unknown.
        """
        path = self.path(name)
        with self._lock():
            try:
                _while_read(lambda: os.unlink(path))
            except FileNotFoundError:
                raise self._unknown(name) from None
            if self.selected() == name:
                _remove(self._selected)

    def rename(self, name: str, new: str) -> None:
        """Give the context another name; it stays selected, or the previous one, if it is.

        Raises:
            InputError: a name is invalid, `name` is unknown, `new` exists or cannot be selected.
        """
        old_path, path = self.path(name), self.path(new)
        with self._lock():
            if not self.exists(name):
                raise self._unknown(name)
            if self.exists(new):
                raise InputError(f"context {new!r} exists already", hint=_command("rm", new))
            files = [f for f in (self._selected, self._previous) if _read_name(f) == name]
            if files:
                _check_selectable(new)
            _while_read(lambda: os.rename(old_path, path))
            for file in files:
                _write(file, os.fsencode(new))

    def selected(self) -> str | None:
        """The name of the selected context, whether it still exists or not."""
        return _read_name(self._selected)

    def previous(self) -> str | None:
        """The name of the context that was selected before."""
        return _read_name(self._previous)

    def select(self, name: str) -> None:
        """Make `name` the selected context and remember the one before.

        Raises:
            InputError: the name is invalid or unknown, or cannot be kept in the selection file.
        """
        _check_selectable(name)
        with self._lock():
            self._select(name)

    def select_previous(self) -> str:
        """Swap the selected and the previous context; returns the name that is selected now.

        Raises:
            InputError: there is no previous context, or it is gone.
        """
        with self._lock():
            name = self.previous()
            if name is None:
                raise InputError("there is no previous context", hint="pynats context select")
            self._select(name)
        return name

    def unselect(self) -> str | None:
        """Select no context; returns the name of the one that was selected."""
        if self.selected() is None:
            return None
        with self._lock():
            name = self.selected()
            if name is not None:
                _write(self._previous, os.fsencode(name))
                _remove(self._selected)
        return name

    def _select(self, name: str) -> None:
        if not self.exists(name):
            raise self._unknown(name)
        before = self.selected()
        if before is not None and before != name:
            _write(self._previous, os.fsencode(before))
        _write(self._selected, os.fsencode(name))

    def _unknown(self, name: str) -> InputError:
        from difflib import get_close_matches

        if os.path.islink(self.path(name)):
            return InputError(
                f"context {name!r} is a broken symbolic link",
                where=self.path(name),
                hint=_command("rm", name),
            )
        if name == self.selected():
            return InputError(
                f"the selected context {name!r} does not exist",
                where=self.path(name),
                hint="pynats context select another one, or pynats context unselect",
            )
        names = self.names()
        near = get_close_matches(name, names, n=1)
        if near:
            hint = f"did you mean {near[0]!r}? 'pynats context ls' lists all"
        else:
            hint = "pynats context ls" if names else _command("add", name)
        return InputError(f"unknown context {name!r}", hint=hint)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock of the folder, where the file system has locks.

        Raises:
            PynatsError: another process keeps it for too long.
        """
        _make_folders(self._folder)
        path = os.path.join(self.config_dir, ".pynats.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_mode & 0o777 != 0o600:
                os.chmod(path, 0o600)  # the umask took bits away
            until = None
            while not _try_lock(descriptor):
                import time

                until = until or time.monotonic() + _LOCK_TIMEOUT
                if time.monotonic() > until:
                    raise PynatsError(
                        "timed out waiting for another process that is changing contexts", where=path
                    )
                time.sleep(0.005)
            yield
        finally:
            os.close(descriptor)


def _command(verb: str, name: str) -> str:
    """A command about the context `name`, as it can be pasted into a shell."""
    from shlex import quote

    return f"pynats context {verb} {'-- ' if name.startswith('-') else ''}{quote(name)}"


def _check_selectable(name: str) -> None:
    """Raises InputError for a name that the selection file, which is stripped when read, cannot hold."""
    if name != name.strip():
        raise InputError(f"context {name!r} cannot be selected: its name starts or ends with white space")


def _try_lock(descriptor: int) -> bool:
    """Lock a file until it is closed; False while another process has it. Does nothing where there are no locks."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
    else:
        try:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except (ImportError, OSError):  # a file system without locks
            pass
    return True


def _read(path: str) -> bytes:
    """The contents of a file, which may be anything: it neither waits for a FIFO nor reads without end.

    Raises:
        InputError: it is no regular file, or too large.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError("not a regular file", where=path)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(_LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > _LARGEST:
        raise InputError(f"too large: the file has more than {_LARGEST >> 20} MiB", where=path)
    return data


def _read_name(path: str) -> str | None:
    try:
        return os.fsdecode(_read(path).strip()) or None
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        _while_read(lambda: os.unlink(path))


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


def _make_folders(path: str) -> None:
    """Create `path` and its missing parents, each for the user only, whatever the umask."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:
        _make_folders(parent)
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def _write(path: str, data: bytes) -> None:
    """Replace the file at `path`, or what the link at `path` leads to, so that no reader sees half of it.

    Raises:
        OSError: of `path`; the old file is as it was.
    """
    target = os.path.realpath(path) if os.path.islink(path) else path
    try:
        _replace(target, data)
    except OSError as error:
        error.filename, error.filename2 = path, None
        raise
    _sync_folder(os.path.dirname(target))


def _replace(target: str, data: bytes) -> None:
    name = f".pynats-{os.getpid()}-{os.urandom(4).hex()}.tmp"
    temporary = os.path.join(os.path.dirname(target), name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o600)
    try:
        try:
            os.chmod(temporary, 0o600)  # the umask may have taken bits away
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _while_read(lambda: os.replace(temporary, target))
    except BaseException:
        _remove(temporary)
        raise


def _sync_folder(folder: str) -> None:
    """Make the rename durable; where a folder cannot be opened or synced, the system has other ways."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
