"""Where the modules of a handler are found: beside it, but never in place of what Python or pynats needs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

#: What pynats imports that is not Python's own, some of it only when it is needed.
_OURS = frozenset({
    "natscli", "nats", "nkeys", "nacl", "rich", "pygments", "markdown_it", "mdurl", "click", "watchfiles", "anyio",
    "aiohttp", "python_socks", "hdrh",
})  # fmt: skip


class FolderFinder(MetaPathFinder):
    """Finds modules in one folder, as Python does for a script, unless Python or pynats has one of the name."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or fullname in _OURS or fullname in sys.stdlib_module_names:
            return None
        spec = PathFinder.find_spec(fullname, [self.folder], target)
        return (
            spec if spec is not None and spec.loader is not None else None
        )  # a folder is perhaps no package


def serve_folder(folder: str) -> None:
    """Let modules be imported from `folder` from now on."""
    if any(isinstance(finder, FolderFinder) and finder.folder == folder for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, FolderFinder(folder))
    if folder not in sys.path:
        sys.path.append(folder)  # for packages without an __init__.py
