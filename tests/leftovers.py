"""What a run of the suite must not leave: secrets and tracebacks in any output, processes, temporary files.

The controller makes one folder for all workers. Outputs that tests capture are kept there, and it is the folder for
temporary files of everything that the tests start; every process that they start has its name in a variable.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path

PLANTED_SECRET = b"s3cr3t-"
#: The folder of the session.
VARIABLE = "PYNATS_TEST_SESSION"

_OUTPUTS, _TEMPORARY = "outputs", "tmp"
#: At the beginning of a line it is Python's own; with --trace, and for handlers that fail, pynats writes it behind a
#: label.
_TRACEBACK = re.compile(
    rb"^(?:Traceback \(most recent call last\)|Exception ignored |Fatal Python error)", re.MULTILINE
)
#: Bytes of a traceback that are shown.
_MOST_SHOWN = 4000
#: Seconds that processes have for ending after the last test.
_PATIENCE = 10.0


def begin(environ: MutableMapping[str, str]) -> None:
    """Make the folder of the session. pytest's own folders (`tmp_path`) stay where they are."""
    environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix="pynats-test-"))
    for name in (_OUTPUTS, _TEMPORARY):
        (folder / name).mkdir()
    environ[VARIABLE] = str(folder)
    environ["TMPDIR"] = tempfile.tempdir = str(folder / _TEMPORARY)


def record(output: bytes, arguments: Sequence[str]) -> None:
    """Keep captured output for the end of the session."""
    session = os.environ.get(VARIABLE)
    if session and output:
        test = os.environ.get("PYTEST_CURRENT_TEST", "?")
        with (Path(session) / _OUTPUTS / f"{os.getpid()}.log").open("ab") as log:
            log.write(f"\n=== {test}: pynats {arguments[:2]}\n".encode() + output)


def end(environ: MutableMapping[str, str]) -> list[str]:
    """Remove the folder; what was left, a line each."""
    folder = Path(environ.pop(VARIABLE))
    found = [*search(folder / _OUTPUTS), *processes_of(folder), *files_in(folder / _TEMPORARY)]
    shutil.rmtree(folder, ignore_errors=True)
    return found


def search(outputs: Path) -> Iterator[str]:
    """The headings (test and command) of outputs that hold a planted secret or a traceback, and the traceback."""
    for path in sorted(outputs.glob("*.log")):
        for block in path.read_bytes().split(b"\n=== "):
            heading, _, text = block.partition(b"\n")
            shown = heading.decode(errors="replace")
            if PLANTED_SECRET in text:
                yield f"a planted secret was shown: {shown}"
            if traceback := _TRACEBACK.search(text):
                lines = text[traceback.start() :][:_MOST_SHOWN].decode(errors="replace").splitlines()
                yield "\n  ".join([f"a traceback was shown: {shown}", *lines])


def processes_of(folder: Path) -> list[str]:
    """Processes that the session started and that still run after a while; only on Linux."""
    deadline = time.monotonic() + _PATIENCE
    while (found := sorted(_running(folder))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [f"a process was left: {line}" for line in found]


def _running(folder: Path) -> Iterator[str]:
    mine = f"{VARIABLE}={folder}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if mine in (process / "environ").read_bytes().split(b"\0") and not _is_of_pytest(process, words):
                yield f"{process.name} {b' '.join(words)[:200].decode(errors='replace')}"
        except OSError:  # it ended, or is of somebody else
            continue


def _is_of_pytest(process: Path, words: Sequence[bytes]) -> bool:
    """Whether it is this process, or one of the workers, which end last."""
    return int(process.name) == os.getpid() or any(
        b"execnet" in word or b"exec(eval(" in word for word in words
    )


def files_in(folder: Path) -> list[str]:
    """The temporary files that were left."""
    names = sorted(path.name for path in folder.iterdir())
    return [
        f"a temporary file was left: {name}" for name in names if not name.startswith(("uv-", "fish."))
    ]  # the locks of uv
