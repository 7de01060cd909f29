"""The pytest plugin, in a project of its own: installed from the wheel, in a clean environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.program import clean_environment
from tests.testing.project import FAILING, MISTYPED, TESTS

ROOT = Path(__file__).resolve().parents[2]


class Project:
    """A folder with tests, and the environment that they run in."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder = folder
        self._python = python

    def pytest(self, tests: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run these tests; what they leave in the folder for temporary files is looked at afterwards."""
        (self.folder / "test_it.py").write_text(tests)
        (self.folder / "tmp").mkdir(exist_ok=True)
        environ = clean_environment(self.folder, self.folder / "config")
        command: list[str] = [str(self._python), "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        environ = environ | {"TMPDIR": str(self.folder / "tmp")}
        return subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    uv = shutil.which("uv")
    folder = tmp_path_factory.mktemp("project")
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet"]
    if uv:
        subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True)
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
        pip = [uv, "pip", "install", "--quiet", "--python", python]
    else:
        build: list[str | Path] = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        build += ["--wheel-dir", folder, ROOT]
        subprocess.run(build, check=True)
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, f"{wheel}[pytest]", "pytest-xdist", "pytest-asyncio"], check=True)
    return Project(folder, python)


def servers_of(project: Project) -> list[str]:
    """The command lines of nats-servers whose files are in the project's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(project.folder) in command and "nats-server" in command:
            found.append(command)
    return found


def test_twenty_tests_of_a_project_run_on_four_workers_and_leave_nothing(project: Project) -> None:
    began = time.monotonic()
    done = project.pytest(TESTS, "-n", "4", "-q")
    seconds = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr
    (count,) = re.findall(r"(\d+) passed", done.stdout)
    assert int(count) >= 20
    if os.path.isdir("/proc"):
        assert servers_of(project) == []
    assert [name for name in os.listdir(project.folder / "tmp") if name.startswith("natscli")] == []
    assert seconds < 10 or os.getloadavg()[0] > 3, seconds


def test_the_report_of_a_test_that_fails_has_what_was_asked_and_answered(project: Project) -> None:
    done = project.pytest(FAILING, "-q")
    assert done.returncode == 1
    assert "NATS requests and replies" in done.stdout
    assert "price.*: 1 request\n  -> [price.apple] how much\\x1b?\n" in done.stdout
    assert '<- Content-Type: application/json; {"price": 3}' in done.stdout
    assert "error 500: ZeroDivisionError: division by zero" in done.stdout


def test_a_mistyped_marker_is_one_error(project: Project) -> None:
    done = project.pytest(MISTYPED, "-q")
    said = "@pytest.mark.nats takes jetstream=True or False, and config='TEXT'; not jetstraem=True"
    assert done.returncode != 0
    assert f"{said} (test_it.py::test_it, test_it.py:4)" in done.stdout
    assert "Traceback" not in done.stdout
    assert len(done.stdout.splitlines()) < 10


def test_the_server_ends_with_a_run_that_is_killed(project: Project) -> None:
    if not os.path.isdir("/proc"):
        pytest.skip("finding the server needs /proc")
    killed = "import os, signal\ndef test_it(nats_client):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    assert project.pytest(killed, "-q").returncode == -9
    deadline = time.monotonic() + 10
    while servers_of(project):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_that_uses_no_fixture_imports_nothing_of_it(project: Project) -> None:
    unwanted = {"nats", "natscli.api", "natscli.testing.server"}
    names = f"import sys\ndef test_it():\n    assert not {unwanted} & set(sys.modules)\n"
    done = project.pytest(names, "-q", "-p", "no:asyncio", "-p", "no:xdist")
    assert done.returncode == 0, done.stdout


def test_the_example_of_the_document_passes(project: Project) -> None:
    text = (ROOT / "docs" / "testing.md").read_text()
    (example,) = re.findall(r"^```python\n# test_orders.py\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    done = project.pytest(example, "-q")
    assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout
