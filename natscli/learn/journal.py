"""Which steps a person has done, kept from one time to the next."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress

from natscli.environment import home_folder


class Journal:
    """The names of the steps that are done, in a file of the state folder (`$XDG_STATE_HOME` or `~/.local/state`)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        base = environ.get("XDG_STATE_HOME") or os.path.join(home_folder(environ), ".local", "state")
        self._path = os.path.join(base, "pynats", "learn.json")

    def done(self) -> list[str]:
        """The names; none if there is no file, or it cannot be read."""
        try:
            with open(self._path, encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return []
        names = found.get("done") if isinstance(found, dict) else None
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []

    def add(self, name: str) -> None:
        """Keep that `name` is done; where nothing can be kept, nothing is."""
        names = list(dict.fromkeys([*self.done(), name]))
        with suppress(OSError):
            from natscli.system.files import write_whole

            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            write_whole(self._path, json.dumps({"done": names}).encode())
