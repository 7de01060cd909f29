"""The versions that a report of a problem needs."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping

from natscli import __version__
from natscli.errors import PynatsError


def versions(environ: Mapping[str, str]) -> str:
    """pynats, nats-py, Python and the nats-server that `pynats server run` starts: a line each."""
    from importlib.metadata import version

    return (
        f"pynats {__version__}\n"
        f"nats-py {version('nats-py')}\n"
        f"Python {platform.python_version()} ({sys.executable})\n"
        f"nats-server {_server(environ)}\n"
    )


def _server(environ: Mapping[str, str]) -> str:
    from natscli.server.find import find_nats_server, version_of

    try:
        path = find_nats_server(environ)
    except PynatsError:
        return "none, 'pynats server run' needs one"
    return f"{version_of(path)} ({path})"
