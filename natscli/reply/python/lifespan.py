"""What the `lifespan` of a handler's module does: it is entered before requests come and left after the last reply."""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import ModuleType
from typing import Any

from natscli.errors import InputError
from natscli.reply.python.explain import place

#: Seconds between two reminders that a lifespan is being left.
_REMINDER = 5.0


def find_lifespan(module: ModuleType, file: str) -> Callable[[], Any] | None:
    """What `module` calls `lifespan`: a function that makes a context manager; None without one.

    A generator function that is no context manager yet is made one.

    Raises:
        InputError: it is none of these, or takes an argument.
    """
    found = getattr(module, "lifespan", None)
    if found is None or inspect.ismodule(found):
        return None
    at = place(found, file)
    if not callable(found):
        raise InputError(f"{at}: lifespan is not a function", where="--handler")
    try:
        inspect.signature(found).bind()
    except TypeError:
        raise InputError(f"{at}: lifespan{inspect.signature(found)} cannot be called without an argument",
                         where="--handler") from None  # fmt: skip
    if inspect.isasyncgenfunction(found):
        return contextlib.asynccontextmanager(found)
    return contextlib.contextmanager(found) if inspect.isgeneratorfunction(found) else found


class Exited(Exception):
    """A lifespan called `sys.exit`: that is a failure of it, and no status for the run."""


#: It is shown as what was raised.
Exited.__name__ = "SystemExit"


@contextlib.contextmanager
def _without_exit() -> Iterator[None]:
    """Raises Exited in place of SystemExit, which ends an event loop at once."""
    try:
        yield
    except SystemExit as error:
        raise Exited(*error.args).with_traceback(error.__traceback__) from None


@contextlib.contextmanager
def _reminding(remind: Callable[[float], object], seconds: float) -> Iterator[None]:
    """Calls `remind` while the block goes on; a thread does, for a plain lifespan blocks the event loop."""
    over, began = threading.Event(), time.monotonic()

    def watch() -> None:
        while not over.wait(seconds):
            remind(time.monotonic() - began)

    threading.Thread(target=watch, name="lifespan", daemon=True).start()
    try:
        yield
    finally:
        over.set()


class Lifespan:
    """One time that a lifespan is entered and left; without one, nothing happens. `state` is what it gave."""

    def __init__(self, make: Callable[[], Any] | None) -> None:
        self._make = make
        self._manager: Any = None
        self.state: Any = None

    async def enter(self) -> None:
        """Raises whatever it raises, Exited for SystemExit; TypeError: it is no context manager."""
        if self._make is not None:
            with _without_exit():
                await self._enter(self._make())

    async def _enter(self, manager: Any) -> None:
        if isinstance(manager, AbstractAsyncContextManager):
            self.state = await manager.__aenter__()
        elif isinstance(manager, AbstractContextManager):
            self.state = manager.__enter__()
        else:
            raise TypeError(f"lifespan gave no context manager, but {type(manager).__name__}")
        self._manager = manager

    async def leave(
        self, remind: Callable[[float], object] | None = None, reminder: float = _REMINDER
    ) -> None:
        """Each `reminder` seconds, `remind` is called in a thread with the seconds that it has taken.

        Raises whatever it raises, Exited for SystemExit; only the first call does anything.
        """
        manager, self._manager = self._manager, None
        if manager is None:
            return
        with _without_exit(), contextlib.nullcontext() if remind is None else _reminding(remind, reminder):
            if isinstance(manager, AbstractAsyncContextManager):
                await manager.__aexit__(None, None, None)
            else:
                manager.__exit__(None, None, None)
