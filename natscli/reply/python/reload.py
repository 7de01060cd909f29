"""Loads the handler again when its code changes; until that is done, and if it fails, the code before answers."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress

from natscli.environment import Environment
from natscli.errors import InputError
from natscli.reply.python.code import Code
from natscli.reply.python.explain import describe, shown
from natscli.reply.python.handler import Handler
from natscli.reply.python.importing import HandlerName, Loaded, load
from natscli.reply.responders.responder import Host, Listen, Place, Wrapper
from natscli.system.installing import extra_command

#: Milliseconds without a change after which the changes of one save are complete.
_SETTLE = 50
#: Milliseconds between two looks at whether to stop.
_LOOK = 500


class Reloading(Wrapper):
    """Watches the folders of all code that was imported with the handler, in a thread of its own."""

    def __init__(
        self,
        handler: Handler,
        source: HandlerName,
        environment: Environment,
        check: Callable[[Sequence[Place]], None],
    ) -> None:
        """`check` raises InputError for places that the options do not go with.

        Raises:
            InputError: the package that watches files is not installed.
        """
        try:
            import watchfiles  # noqa: F401
        except ImportError:
            raise InputError("watching files needs the package watchfiles", where="--reload",
                             hint=extra_command("reload")) from None  # fmt: skip
        super().__init__(handler)
        self._handler = handler
        self._source = source
        self._environment = environment
        self._check = check
        self._listen: Listen | None = None
        self._stamps = _stamps(handler.code.loaded)
        self._stop = threading.Event()

    async def start(self, host: Host) -> None:
        await super().start(host)
        self._listen = host.listen
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._watch, name="reload", daemon=True).start()

    def kill(self) -> None:
        self._stop.set()
        super().kill()

    def _watch(self) -> None:
        try:
            self._watch_folders()
        except Exception as error:  # too many files are watched, a folder is gone, ...
            self._environment.warn(f"changes are not watched any more: {error}")

    def _watch_folders(self) -> None:
        from watchfiles import PythonFilter, watch

        loaded = self._handler.code.loaded
        while not self._stop.is_set():
            folders = loaded.folders
            for changes in watch(*folders, watch_filter=PythonFilter(), step=_SETTLE, rust_timeout=_LOOK,
                                 recursive=False, stop_event=self._stop, raise_interrupt=False,
                                 yield_on_timeout=True):  # fmt: skip
                # What changed before the folders were watched is in no `changes`.
                if changes or any(self._stamps.get(file) != stamp for file, stamp in _stamps(loaded).items()):
                    loaded = self._load(loaded)
                if loaded.folders != folders:
                    break

    def _load(self, before: Loaded) -> Loaded:
        """Import the code again; gives what answers from now on."""
        self._stamps = _stamps(before)
        for name in before.modules:
            sys.modules.pop(name, None)
        try:
            loaded = load(self._source)
        except InputError as error:
            sys.modules.update(before.modules)
            self._environment.warn(f"not reloaded, the code before stays: {error.what}")
            return before
        self._stamps = {**_stamps(loaded), **self._stamps}
        try:
            used = asyncio.run_coroutine_threadsafe(self._use(loaded), self._loop).result()
        except (RuntimeError, CancelledError):  # the loop is closed
            return before
        if not used:
            sys.modules.update(before.modules)
        return loaded if used else before

    async def _use(self, loaded: Loaded) -> bool:
        """Enter the lifespan of new code and answer with it; False if that fails."""
        code = Code(loaded)
        places: dict[int, Place] = {}
        try:
            if self._listen is not None:
                places = code.take_places(self._handler.code)
                self._check(tuple(places.values()))
            await code.lifespan.enter()
        except InputError as error:
            self._environment.warn(f"not reloaded, the code before stays: {error}")
            return False
        except Exception as error:
            why = describe(error, loaded.file)
            self._environment.warn(f"not reloaded, the code before stays: lifespan failed: {why}")
            return False
        self._handler.use(code)
        self._environment.log(f"Reloaded {shown(os.path.abspath(loaded.file))}")
        for note in loaded.notes:
            self._environment.warn(note)
        if self._listen is not None:
            await self._listen(places)
        return True


def _stamps(loaded: Loaded) -> dict[str, tuple[int, int]]:
    """When each file of the code was written (nanoseconds since 1970), and its size."""
    stamps = dict[str, tuple[int, int]]()
    for file in loaded.files:
        with suppress(OSError):  # it is being written
            status = os.stat(file)
            stamps[file] = status.st_mtime_ns, status.st_size
    return stamps
