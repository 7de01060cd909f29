"""Finds a nats-server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping

from natscli.errors import PynatsError, reason


def find_nats_server(environ: Mapping[str, str]) -> str:
    """Path of the nats-server on PATH, else of the one that the `server` extra put beside this Python.

    Raises:
        PynatsError: there is none.
    """
    folders = [
        sysconfig.get_path("scripts"),
        os.path.dirname(sys.executable),
        sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")),
    ]
    found = shutil.which("nats-server", path=environ.get("PATH", os.defpath))
    found = found or shutil.which("nats-server", path=os.pathsep.join(folders))
    if found is None:
        from natscli.system.installing import extra_command

        raise PynatsError(f"there is no nats-server on PATH; get one with: {extra_command('server')}")
    return found


def version_of(path: str) -> str:
    """What the nats-server at `path` says that its version is, such as 2.15.1; or why it does not say it."""
    try:
        done = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"of unknown version: {reason(error)}"
    return (
        done.stdout.decode("ascii", "replace").strip().removeprefix("nats-server: v") or "of unknown version"
    )
