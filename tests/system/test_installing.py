"""What the hints say to install, by how pynats was installed."""

from __future__ import annotations

import re
import sys
from importlib.metadata import requires
from importlib.util import find_spec

import pytest

from natscli.system.installing import EXTRAS, command_for, extra_command, package_of

COMMANDS = {
    "pipx": ("/home/me/.local/share/pipx/venvs/pynats-cli", True, "pipx inject pynats-cli aiohttp"),
    "uv": (
        "/home/me/.local/share/uv/tools/pynats-cli", False,
        "uv pip install --python /home/me/.local/share/uv/tools/pynats-cli/bin/python aiohttp",
    ),
    "pip": ("/srv/app/.venv", True, "/srv/app/.venv/bin/python -m pip install aiohttp"),
    "a space": ("/my app", True, "'/my app/bin/python' -m pip install aiohttp"),
}  # fmt: skip


@pytest.mark.parametrize("how", COMMANDS)
def test_the_command_fits_how_pynats_was_installed(how: str) -> None:
    prefix, pip, command = COMMANDS[how]
    assert command_for("aiohttp", prefix, f"{prefix}/bin/python", pip=pip) == command


def test_what_a_shell_would_take_apart_is_quoted() -> None:
    command = command_for("python-socks[asyncio]", "/x/pipx/venvs/pynats-cli", "/python", pip=True)
    assert command == "pipx inject pynats-cli 'python-socks[asyncio]'"


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_what_the_package_says_it_is(extra: str) -> None:
    ours = [line for line in requires("pynats-cli") or () if re.search(rf"extra == ['\"]{extra}['\"]", line)]
    assert [re.split(r"[<>=;! ]", line)[0] for line in ours] == [EXTRAS[extra]]


def test_this_python_gets_it() -> None:
    command = extra_command("reload")
    assert sys.executable in command
    assert command.endswith(" install watchfiles") == (find_spec("pip") is not None)


@pytest.mark.parametrize(
    ("module", "package"),
    [("requests_nope", "requests_nope"), ("nope.part", "nope"), ("yaml", "pyyaml"), ("json.nope", "")],
)
def test_a_missing_module_is_brought_by_its_package(module: str, package: str) -> None:
    assert package_of(module) == package
