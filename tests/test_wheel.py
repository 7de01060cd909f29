"""The wheel, installed in a clean environment: it brings all that it needs, and works there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from natscli import __version__
from tests.program import Runner
from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, **options: object) -> str:
    """What a command prints; fails with all its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT.anchor, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@dataclass(frozen=True)
class Installed:
    """The environment that the wheel was installed in, with its `server` extra."""

    wheel: Path
    folder: Path

    @property
    def scripts(self) -> Path:
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def metadata(self) -> Message:
        with zipfile.ZipFile(self.wheel) as wheel:
            (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            return Parser().parsestr(wheel.read(name).decode())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Built and installed with uv where it is there, as `make` does, else with pip."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = shutil.which("uv")
    if uv:
        run(uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
        run(uv, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    else:
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
        run(sys.executable, "-m", "venv", folder / "venv")
    (wheel,) = folder.glob("*.whl")
    result = Installed(wheel, folder / "venv")
    python = result.scripts / "python"
    pip: list[str | Path] = (
        [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    )
    run(*pip, "--quiet", f"{wheel}[server]")
    return result


@pytest.fixture
def environ(runner: Runner, installed: Installed) -> dict[str, str]:
    """The environment of a user who has nothing else of pynats."""
    return {**runner.environ, "PATH": os.pathsep.join([str(installed.scripts), os.defpath])}


def test_the_man_pages_are_where_man_looks(installed: Installed) -> None:
    pages = {path.name: path.read_bytes() for path in (installed.folder / "share/man/man1").glob("pynats*")}
    assert pages == {path.name: path.read_bytes() for path in (ROOT / "docs" / "man").iterdir()}


def test_the_command_is_the_one_of_the_wheel(installed: Installed, environ: dict[str, str]) -> None:
    assert run(installed.scripts / "pynats", "--version", env=environ) == f"pynats {__version__}\n"
    where = run(installed.scripts / "python", "-c", "import natscli; print(natscli.__file__)", env=environ)
    assert Path(where).is_relative_to(installed.folder)


def test_requests_are_answered(installed: Installed, environ: dict[str, str], nats_server: Server) -> None:
    environ["NATS_URL"] = nats_server.url
    pynats = installed.scripts / "pynats"
    command: list[str | Path] = [pynats, "reply", "from.the.wheel", "hello {{Request}}", "--count", "1"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE) as replier:
        try:
            assert replier.stderr is not None
            assert b"Listening on" in replier.stderr.readline()
            assert run(pynats, "request", "from.the.wheel", "you", "--raw", env=environ) == "hello you"
            assert replier.wait(30) == 0
        finally:
            replier.kill()


def test_the_server_extra_brings_a_server(installed: Installed, environ: dict[str, str]) -> None:
    program = (
        "import os; from natscli.server.find import find_nats_server; print(find_nats_server(os.environ))"
    )
    found = run(installed.scripts / "python", "-c", program, env=environ).strip()
    assert Path(found).parent == installed.scripts
    assert run(found, "--version").startswith("nats-server: v2.")


def test_it_needs_little_and_offers_extras(installed: Installed) -> None:
    needs = [str(line) for line in installed.metadata.get_all("Requires-Dist", [])]
    always = {line.partition(">")[0].partition("[")[0] for line in needs if "extra ==" not in line}
    assert always == {"click", "nats-py", "python-jsonpath", "rich"}
    assert {"server", "websocket", "socks"} <= set(installed.metadata.get_all("Provides-Extra", []))
    assert installed.metadata["Requires-Python"] == ">=3.10"
    assert installed.metadata["License-Expression"] == "Apache-2.0"


def test_it_has_the_package_and_nothing_else(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = wheel.namelist()
    assert "natscli/py.typed" in names
    assert {name.partition("/")[0].rpartition(".")[2] for name in names} <= {"natscli", "dist-info", "data"}
