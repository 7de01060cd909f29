"""The files of a release in dist/: `make release`. Nothing is published.

The wheel and the sdist are built twice, from a copy of what git tracks, and have to be the same bytes; their metadata
is what PyPI takes; and a CycloneDX SBOM says what an installation with all extras has.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "dist"
#: Seconds since 1970 that files in the archives have: the time of the last commit.
_EPOCH = "SOURCE_DATE_EPOCH"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def copy_of_the_source(folder: Path) -> None:
    """Copy the files that git tracks, or would, to `folder`."""
    for name in _git("ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)


def build(target: Path) -> dict[str, str]:
    """Build wheel and sdist into `target`; the SHA-256 of each by its name.

    Raises:
        subprocess.CalledProcessError: the build fails.
    """
    with tempfile.TemporaryDirectory(prefix="pynats-release-") as name:
        copy_of_the_source(Path(name))
        environ = {**os.environ, _EPOCH: _git("log", "-1", "--format=%ct").strip()}
        subprocess.run(
            [sys.executable, "-m", "build", "--outdir", str(target), "."],
            cwd=name, env=environ, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(target.iterdir())}


def write_sbom(wheel: Path, target: Path) -> None:
    """Write what an environment with `wheel` and its extras is made of, as CycloneDX JSON."""
    with tempfile.TemporaryDirectory(prefix="pynats-sbom-") as name:
        python = Path(name) / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", name], check=True)
        extras = f"{wheel}[server,websocket,socks,hdr,reload]"
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", extras], check=True
        )
        subprocess.run(
            [sys.executable, "-m", "cyclonedx_py", "environment", str(python), "--output-reproducible",
             "--pyproject", str(ROOT / "pyproject.toml"), "--output-file", str(target)],
            check=True,
        )  # fmt: skip


def main() -> int:
    """Build, compare, check; 1 if the two builds differ."""
    shutil.rmtree(TARGET, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="pynats-again-") as again:
        first, second = build(TARGET), build(Path(again))
    if first != second:
        print("release: two builds of the same source differ", file=sys.stderr)
        return 1
    subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, TARGET.iterdir())], check=True
    )
    (wheel,) = TARGET.glob("*.whl")
    write_sbom(wheel, TARGET / f"{wheel.name.partition('-py3')[0]}.cdx.json")
    for name, digest in first.items():
        print(f"{digest}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
