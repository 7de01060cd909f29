"""Contexts on disk, in the files that the Go CLI uses (ADR-21).

`context/NAME.json` is a context, `context.txt` holds the name of the selected one, `previous-context.txt` the one
before. Readers never lock: every file is replaced whole. Writers hold a lock, so that a change made of a
read and a write is never lost to another pynats process; the Go CLI has no lock but replaces files too.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress

from natscli.contexts.format import Context, dump, parse
from natscli.contexts.names import check_selectable, command, file_named, validate_name
from natscli.errors import InputError, PynatsError, explain, reason
from natscli.system.files import make_private_folders, read_regular, remove, rename, write_whole

_LOCK_TIMEOUT = 10.0
#: Bytes that a file may have; contexts with embedded credentials have a few thousand.
_LARGEST = 1 << 20


class ContextStore:
    """The contexts in one configuration folder, `Environment.config_dir`.

    `warn` gets a line for each file that is mended while it is read; without it none is.
    Methods raise InputError when the folder is not an absolute path.
    """

    def __init__(self, config_dir: str, warn: Callable[[str], None] | None = None) -> None:
        self.config_dir = config_dir
        self._warn = warn
        self._folder = os.path.join(config_dir, "context")
        self._selected = os.path.join(config_dir, "context.txt")
        self._previous = os.path.join(config_dir, "previous-context.txt")

    def names(self) -> list[str]:
        """The known names, sorted; empty files and names the Go CLI would refuse are left out, as there.

        Raises:
            InputError: the folder cannot be read.
        """
        self._check_folder()
        try:
            with os.scandir(self._folder) as entries:
                return sorted(name for entry in entries if (name := _name_of(entry)))
        except OSError as error:
            if _is_none(self._folder, error):
                return []
            raise _unreadable("contexts", self._folder, error) from None

    def path(self, name: str) -> str:
        """Where the context is, or would be, kept. Raises InputError for an invalid name."""
        validate_name(name)
        self._check_folder()
        return os.path.join(self._folder, f"{name}.json")

    def locate(self, name: str) -> str:
        """Where `load` reads: the file that `name` is the path of, or where the context is kept.

        Raises:
            InputError: it is neither a path nor a valid name.
        """
        return file_named(name) or self.path(name)

    def exists(self, name: str) -> bool:
        """Whether there is a file for `name`, whatever is in it. Raises InputError if `name` or the folder is bad."""
        path = self.path(name)
        try:
            os.lstat(path)  # os.path.lexists would take a folder that may not be searched for an empty one
        except FileNotFoundError:
            return False
        except OSError as error:
            if _is_none(path, error):
                return False
            raise _unreadable("the context", path, error) from None
        return True

    def read(self, name: str) -> bytes:
        """The raw file contents, for `edit`.

        Raises:
            InputError: the name is invalid or unknown, or what it names is no file or too large for a context.
        """
        return self._read(name, self.path(name))

    def load(self, name: str) -> Context:
        """The context called `name`, or in the file whose path `name` is.

        Raises:
            InputError: the name is invalid or unknown, or the file is corrupt or cannot be read.
        """
        path = self.locate(name)
        data = self._read(name, path)
        if data.startswith(BOM_UTF8) and self._warn is not None:
            self._warn(self._mend(path, data, ours=not file_named(name)))
        return self._parsed(name, data)

    def _read(self, name: str, path: str) -> bytes:
        try:
            return read_regular(path, _LARGEST)
        except FileNotFoundError:
            if file_named(name):
                raise InputError("no such context file", where=path) from None
            raise self._unknown(name) from None
        except OSError as error:
            raise _unreadable("the context", path, error) from None

    def _parsed(self, name: str, data: bytes) -> Context:
        try:
            return parse(data, self.locate(name))
        except InputError as error:
            error.hint = "" if file_named(name) else command("edit", name)
            raise

    def _mend(self, path: str, data: bytes, *, ours: bool) -> str:
        """Write a context without its byte order mark, with which the nats CLI ignores it; gives what to say of it."""
        state = "now removed"
        try:
            with self._lock() if ours else nullcontext():
                if read_regular(path, _LARGEST) == data:
                    write_whole(path, data.removeprefix(BOM_UTF8), private=ours)
        except (OSError, PynatsError) as error:
            state = f"which cannot be removed: {explain(error).message}"
        return f"the nats CLI ignores {path}: it began with a byte order mark, {state}"

    def save(self, name: str, context: Context, *, instead_of: bytes | None = None) -> None:
        """Write the context.

        Raises:
            InputError: an invalid name; or the file no longer holds the bytes `instead_of`.
        """
        path = self.path(name)
        with self._lock():
            if instead_of is not None and self.read(name) != instead_of:
                raise InputError("the context was changed by another program meanwhile", where=path)
            write_whole(path, dump(context), private=True)

    def update(self, name: str, change: Callable[[Context | None], Context]) -> Context:
        """Replace the context by `change(context)`, of None if it is new or empty, as one step.

        Raises:
            InputError: an invalid name, or the existing file is corrupt; and whatever `change` raises.
        """
        path = self.path(name)
        with self._lock():
            data = b""
            with suppress(FileNotFoundError):
                data = read_regular(path, _LARGEST)
            changed = change(self._parsed(name, data) if data else None)
            write_whole(path, dump(changed), private=True)
        return changed

    def remove(self, name: str) -> None:
        """Remove the context, and unselect it if it is the selected one.

        Raises:
            InputError: the name is invalid or unknown.
        """
        path = self.path(name)
        with self._lock():
            is_selected = self.selected() == name
            try:
                remove(path)
            except FileNotFoundError:
                raise self._unknown(name) from None
            if is_selected:
                remove(self._selected, missing_ok=True)

    def rename(self, name: str, new: str) -> None:
        """Give the context another name; it stays selected, or the previous one, if it is.

        Raises:
            InputError: a name is invalid, `name` is unknown, `new` is its name, exists or cannot be selected.
        """
        old_path, path = self.path(name), self.path(new)
        with self._lock():
            if not self.exists(name):
                raise self._unknown(name)
            if name == new:
                raise InputError(f"context {name!r} has that name already")
            if self.exists(new):
                raise InputError(f"context {new!r} exists already", hint=command("rm", new))
            files = [f for f in (self._selected, self._previous) if _read_name(f) == name]
            if files:
                check_selectable(new)
            rename(old_path, path)
            try:
                for file in files:
                    write_whole(file, os.fsencode(new), private=True)
            except OSError:  # the disk is full, say; giving the name back needs no room
                rename(path, old_path)
                for file in files:
                    with suppress(OSError):
                        if _read_name(file) != name:
                            write_whole(file, os.fsencode(name), private=True)
                raise

    def selected(self) -> str | None:
        """The name of the selected context, whether it still exists or not.

        Raises:
            InputError: it cannot be read, as of another user: which servers are meant is not known then.
        """
        if self.config_dir.startswith("~"):
            return None  # there is no home folder, and so no selection
        self._check_folder()
        return _read_name(self._selected)

    def previous(self) -> str | None:
        """The name of the context that was selected before."""
        return _read_name(self._previous)

    def select(self, name: str) -> None:
        """Make `name` the selected context and remember the one before.

        Raises:
            InputError: the name is invalid or unknown, or cannot be kept in the selection file.
        """
        check_selectable(name)
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
        """Select no context; returns the name of the one that was selected, if that is known."""
        if os.path.islink(self._selected) and not os.path.exists(self._selected):
            with self._lock():
                remove(self._selected, missing_ok=True)
            return None
        if self.selected() is None:
            return None
        with self._lock():
            name = self.selected()
            if name is not None:
                write_whole(self._previous, os.fsencode(name), private=True)
                remove(self._selected, missing_ok=True)
        return name

    def _select(self, name: str) -> None:
        if not self.exists(name):
            raise self._unknown(name)
        before = self.selected()
        if before is not None and before != name:
            write_whole(self._previous, os.fsencode(before), private=True)
        write_whole(self._selected, os.fsencode(name), private=True)

    def _unknown(self, name: str) -> InputError:
        from difflib import get_close_matches

        if os.path.islink(self.path(name)):
            return InputError(
                f"context {name!r} is a broken symbolic link",
                where=self.path(name),
                hint=command("rm", name),
            )
        if name == self.selected():
            return InputError(
                f"the selected context {name!r} does not exist",
                where=self.path(name),
                hint="pynats context select another one, or pynats context unselect",
            )
        names: list[str] = []
        with suppress(InputError):
            names = self.names()
        near = get_close_matches(name, names, n=1)
        if near:
            hint = f"did you mean {near[0]!r}? 'pynats context ls' lists all"
        else:
            hint = "pynats context ls" if names else command("add", name)
        return InputError(f"unknown context {name!r}", hint=hint)

    def _check_folder(self) -> None:
        if not os.path.isabs(self.config_dir):
            fix = "HOME" if self.config_dir.startswith("~") else "XDG_CONFIG_HOME to an absolute path"
            raise InputError("contexts have no folder", where=self.config_dir, hint=f"set {fix}")

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock of the folder, where the file system has locks.

        Raises:
            PynatsError: another process keeps it for too long.
        """
        from natscli.system.locks import try_lock

        make_private_folders(self._folder)
        path = os.path.join(self.config_dir, ".pynats.lock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_mode & 0o777 != 0o600:
                os.chmod(path, 0o600)  # the umask took bits away
            until = None
            while not try_lock(descriptor):
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


def _name_of(entry: os.DirEntry[str]) -> str:
    """The name of the context that an entry of their folder is; empty if it is none, or was removed this moment."""
    name = entry.name.removesuffix(".json")
    if name == entry.name or entry.is_dir(follow_symlinks=False):
        return ""
    try:
        validate_name(name)
        return name if entry.stat(follow_symlinks=False).st_size else ""
    except (InputError, FileNotFoundError):
        return ""


def _unreadable(what: str, path: str, error: OSError) -> InputError:
    return InputError(f"cannot read {what}: {reason(error)}", where=path)


def _read_name(path: str) -> str | None:
    try:
        return os.fsdecode(read_regular(path, _LARGEST).strip()) or None
    except OSError as error:
        if _is_none(path, error):
            return None
        what, hint = reason(error), "--no-context connects without one"
        if os.path.islink(path) and not os.path.exists(path):
            what, hint = "a broken symbolic link", f"{hint}, 'pynats context unselect' removes the link"
        raise InputError(f"cannot read which context is selected: {what}", where=path, hint=hint) from None


def _is_none(path: str, error: OSError) -> bool:
    """Whether an error says that there is no context, or none selected; not that a link is broken or a file in the way.

    `/dev/null` in place of a folder stands for nothing at all.
    """
    if isinstance(error, NotADirectoryError):
        return path.startswith(os.devnull + os.sep)
    folder = os.path.dirname(path)
    return isinstance(error, FileNotFoundError) and not (
        os.path.islink(path) or (os.path.islink(folder) and not os.path.exists(folder))
    )
