"""Imports nats-py without what a request or a reply never uses.

nats-py imports its JetStream half, aiohttp where it is installed, and `importlib.metadata` to find its own version:
together more than the rest of a `pynats request`. Here the first two are executed when they are first used, with the
standard library's `LazyLoader`, and the version is read from the name of the `.dist-info` folder beside the package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

_LATER = ("nats.js", "aiohttp", "multidict")


class _LaterFinder:
    """A meta path finder that has the modules in `_LATER` executed at the first use of an attribute."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _LATER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def _installed_version(distribution: str) -> str:
    """What `importlib.metadata.version` says, from a folder name if there is exactly one for `distribution`."""
    start = distribution.replace("-", "_") + "-"
    spec = PathFinder.find_spec("nats")
    for location in (spec and spec.submodule_search_locations) or ():
        found = [
            n
            for n in os.listdir(os.path.dirname(location))
            if n.startswith(start) and n.endswith(".dist-info")
        ]
        if len(found) == 1:
            return found[0][len(start) : -len(".dist-info")]
    sys.modules.pop("importlib.metadata", None)
    from importlib.metadata import version

    return version(distribution)


@contextmanager
def _light_imports() -> Iterator[None]:
    stand_in: ModuleType | None = None
    if "importlib.metadata" not in sys.modules:
        stand_in = ModuleType("importlib.metadata")
        stand_in.version = _installed_version  # type: ignore[attr-defined]
        sys.modules["importlib.metadata"] = stand_in
    sys.meta_path.insert(0, _LaterFinder)
    try:
        yield
    finally:
        sys.meta_path.remove(_LaterFinder)
        if stand_in is not None and sys.modules.get("importlib.metadata") is stand_in:
            del sys.modules["importlib.metadata"]


with _light_imports():
    import nats.errors as errors
    from nats.aio.client import Client
    from nats.aio.client import __version__ as version
    from nats.aio.transport import TcpTransport
    from nats.protocol.parser import Parser

__all__ = ["Client", "Parser", "TcpTransport", "errors", "version"]
