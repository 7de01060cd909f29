"""Modules that are executed when something in them is first used, and not when they are imported.

click, asyncio and nats-py import `ssl`, `inspect` and more at their top, which most runs never use and which was a
sixth of the start of a request. What holds of them:

- A lazy module is found and made as any other: `import` says if it is not there, and all that Python keeps about a
  module (`__spec__`, `__file__`, ...) is true from the beginning. Only its code has not run.
- Its code runs once, in the thread that first asks for or sets anything else in it; other threads wait. From then on
  it is a module like all others. If its code fails, so does each use.
- A name that is imported from it (`from ssl import SSLError`) is a use. For a few names (`ANSWERS`) it is none: what
  click and nats-py use of these modules at each start is here, and does the same.
- The program asks for this (`natscli/__main__.py`). Who imports natscli into a program of their own gets every module
  as Python has it, but for those that `wire/nats_py.py` lists. It ends before code of others is imported (`--handler`).

Python 3.15 has lazy imports of its own; these work with every Python.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.abc import Loader

#: What click, asyncio and nats-py import at their top, and a plain request does without. Millions of instructions that
#: each takes with what it imports, of 236 of `import asyncio` (Python 3.11): ssl 30, inspect 22, secrets 13,
#: platform 9, locale 5, ntpath 5 (of pathlib), ipaddress 5 (of urllib), textwrap 4 (of traceback).
OF_OTHERS = (
    "asyncio.sslproto", "asyncio.staggered", "fnmatch", "inspect", "ipaddress", "linecache", "locale", "ntpath",
    "platform", "secrets", "ssl", "textwrap", "tokenize",
)  # fmt: skip


def _is_coroutine_function(call: Any) -> bool:
    code = getattr(call, "__code__", None)
    if code is not None and code.co_flags & 0x80:  # CO_COROUTINE
        return True
    import inspect

    return inspect.iscoroutinefunction(call)


def _annotations_of(owner: Any, **how: Any) -> dict[str, Any]:
    if (
        isinstance(owner, type) and not how and sys.version_info < (3, 14)
    ):  # as `dataclasses` of Python 3.13 asks
        own = owner.__dict__.get("__annotations__")  # noqa: RUF063
        return dict(own) if isinstance(own, dict) else {}
    import inspect

    return inspect.get_annotations(owner, **how)


def _random_below(limit: int) -> int:
    from random import SystemRandom

    return SystemRandom().randrange(limit)


#: What lazy modules answer without being executed.
ANSWERS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "inspect": {"iscoroutinefunction": _is_coroutine_function, "get_annotations": _annotations_of},
    "platform": {"system": lambda: "Linux"} if sys.platform == "linux" else {},
    "secrets": {
        "randbelow": _random_below,
        "token_bytes": lambda size=None: os.urandom(32 if size is None else size),
        "token_hex": lambda size=None: os.urandom(32 if size is None else size).hex(),
    },
}


class LazyFinder:
    """Finds these modules as Python does, and has them executed lazily; as a context, for what is imported in it."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def __enter__(self) -> LazyFinder:
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *error: object) -> None:
        sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module of these, None for others and for one that is there and loaded again."""
        if name not in self._names or target is not None:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _Loader(spec.loader))
        return spec


class _Loader:
    """Makes a module that `loader` executes when it is used."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self._lock = RLock()
        self._running = False

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The module, if `loader` has a way of its own to make it."""
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Let the module wait for its first use."""
        module.__class__ = _Unused

    def execute(self, module: ModuleType) -> None:
        """Run the code of `module`, unless it has run or is running in this thread."""
        with self._lock:
            if self._running or type(module) is not _Unused:
                return
            self._running = True
            try:
                self.loader.exec_module(module)
            finally:
                self._running = False
            assert module.__spec__ is not None
            object.__setattr__(module.__spec__, "loader", self.loader)
            object.__setattr__(module, "__loader__", self.loader)
            object.__setattr__(module, "__class__", ModuleType)
        if module.__name__ == "ssl":
            _told_of_ssl(module)


class _Unused(ModuleType):
    """A module whose code has not run."""

    def __getattr__(self, name: str) -> Any:
        answer = ANSWERS.get(self.__name__, {}).get(name)
        if answer is not None:
            return answer
        if name != "__path__":  # which packages have from the beginning; each `from` looks for it
            _execute(self)
        return ModuleType.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        _execute(self)
        object.__setattr__(self, name, value)

    def __dir__(self) -> Iterable[str]:
        _execute(self)
        return object.__dir__(self)


def _execute(module: ModuleType) -> None:
    loader = module.__dict__["__loader__"]
    if isinstance(loader, _Loader):
        loader.execute(module)


def is_unused(module: ModuleType) -> bool:
    """Whether the code of `module` has not run."""
    return type(module) is _Unused


def end() -> None:
    """From now on every module is executed when it is imported; those that are unused still wait for their use."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, LazyFinder)]


def spare_ssl() -> None:
    """Let asyncio do without `ssl` until it is used.

    Before each connection asyncio asks whether the socket is one of `ssl`, which is a use. None can be while `ssl` has
    not run; asyncio then has None in its place, as with a Python that was built without it.
    """
    import asyncio.base_events

    if is_unused(sys.modules.get("ssl", sys)):
        vars(asyncio.base_events)["ssl"] = None


def _told_of_ssl(ssl: ModuleType) -> None:
    base_events = sys.modules.get("asyncio.base_events")
    if base_events is not None:
        vars(base_events)["ssl"] = ssl
