"""Running `pynats` as a process of its own, in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.leftovers import record
from tests.servers import Server
from tests.starting import start, usual_environment


def clean_environment(home: Path, config_home: Path) -> dict[str, str]:
    """This process's environment without anything that pynats reads, and with a home of its own."""
    own = {"HOME": str(home), "USERPROFILE": str(home), "XDG_CONFIG_HOME": str(config_home)}
    return usual_environment() | own


def until(condition: Callable[[], object], what: str = "") -> None:
    """Return when `condition()` holds.

    Raises:
        AssertionError: not within half a minute; it says `what` was waited for.
    """
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def slowness() -> float:
    """How many times as long as alone a process takes now, 1 or more: others want the processors too."""
    began, used, work = time.perf_counter(), time.process_time(), 0.05
    while time.process_time() - used < work:
        pass
    return max((time.perf_counter() - began) / work, 1.0)


@dataclass(frozen=True)
class Run:
    """A run that is over."""

    status: int
    stdout: bytes
    stderr: str
    seconds: float

    @property
    def text(self) -> str:
        """stdout as text."""
        return self.stdout.decode("utf-8")

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.text.splitlines()

    @property
    def errors(self) -> list[str]:
        """The lines of stderr."""
        return self.stderr.splitlines()

    @property
    def objects(self) -> list[Any]:
        """stdout as one JSON value a line."""
        return [json.loads(line) for line in self.lines]


class Program:
    """A `pynats` that runs; its output goes to files, so it never waits for the test to read."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str], **popen: Any) -> None:
        self._arguments = arguments
        self._folder = Path(tempfile.mkdtemp(prefix="pynats-test-run-"))
        self._signalled = 0.0
        with (self._folder / "stdout").open("wb") as out, (self._folder / "stderr").open("wb") as err:
            popen.setdefault("stdin", subprocess.DEVNULL)
            if sys.platform == "win32":
                popen.setdefault("creationflags", subprocess.CREATE_NEW_PROCESS_GROUP)
            self._process = start(arguments, environ, stdout=out, stderr=err, **popen)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes]:
        """What to write its input to; only with `stdin=subprocess.PIPE`."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.poll()

    def stdout_bytes(self) -> bytes:
        """All it wrote to stdout so far."""
        return (self._folder / "stdout").read_bytes()

    def stderr_text(self) -> str:
        """All it wrote to stderr so far."""
        return (self._folder / "stderr").read_text("utf-8", errors="surrogateescape")

    def wait_for(self, text: str, timeout: float = 30) -> None:
        """Return when `text` is on its stdout or stderr.

        Raises:
            AssertionError: it exited first, or the time is over; with its output.
        """
        self.wait_until(
            lambda: text in self.stderr_text() or text.encode() in self.stdout_bytes(), text, timeout
        )

    def wait_until(self, condition: Callable[[], bool], what: str, timeout: float = 30) -> None:
        """Return when `condition()` holds.

        Raises:
            AssertionError: it exited first, or the time is over; with its output.
        """
        deadline = time.monotonic() + timeout
        while True:
            over = self.status is not None or time.monotonic() > deadline
            if condition():
                return
            if over:
                shown = f"status {self.status}\nstdout: {self.stdout_bytes()!r}\nstderr: {self.stderr_text()}"
                raise AssertionError(f"waited for {what!r}: {shown}")
            time.sleep(0.005)

    def send_signal(self, number: int) -> None:
        """Send it a signal; on Windows, where no program can send another one of these, a Ctrl-Break.

        Another one is sent half a second later: those that come at once are one for it. For those `signal_at_once`.
        """
        time.sleep(max(self._signalled + 0.6 - time.monotonic(), 0))
        self._signalled = time.monotonic()
        self.signal_at_once(number)

    def signal_at_once(self, number: int) -> None:
        """Send it a signal, whenever it got one before."""
        self._process.send_signal(getattr(signal, "CTRL_BREAK_EVENT", number))

    def wait(self, timeout: float = 30) -> int:
        """Wait for its end and return its exit status."""
        return self._process.wait(timeout)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 30) -> int:
        """Signal it and return its exit status."""
        self.send_signal(number)
        return self.wait(timeout)

    def close(self, shows_secrets: bool = False) -> None:
        """Kill it if it still runs, keep its output for the search for secrets, remove its files."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        if not shows_secrets:
            record(self.stdout_bytes() + b"\n" + self.stderr_text().encode(errors="replace"), self._arguments)
        shutil.rmtree(self._folder, ignore_errors=True)


class Runner:
    """Runs `pynats` with the environment of one test; the `pynats` and `spawn` fixtures are its methods."""

    def __init__(self, environ: dict[str, str], directory: Path) -> None:
        self.environ = environ
        self.directory = directory
        self._programs: list[tuple[Program, bool]] = []

    def _environ(self, server: Server | str | None, env: Mapping[str, str | None] | None) -> dict[str, str]:
        environ: dict[str, str | None] = dict(self.environ)
        if server is not None:
            environ["NATS_URL"] = server if isinstance(server, str) else server.url
        environ.update(env or {})
        return {name: value for name, value in environ.items() if value is not None}

    def __call__(
        self,
        *arguments: str,
        server: Server | str | None = None,
        env: Mapping[str, str | None] | None = None,
        stdin: bytes | None = None,
        cwd: Path | None = None,
        timeout: float = 30,
        within: float = 0,
        shows_secrets: bool = False,
        anew: bool = False,
    ) -> Run:
        """Run to the end. `server` goes in as NATS_URL; None in `env` removes a variable; no stdin is a null one.

        Python is started `anew` where that matters, see tests/starting.py. With `within` it must not take more
        seconds than that, for which a machine that is busy with other tests gets three tries, and more time.

        Raises:
            subprocess.TimeoutExpired: it ran longer than `timeout` seconds and was killed.
            AssertionError: it always took longer than `within`.
        """
        if within:
            took = []
            for _ in range(3):
                run = self(
                    *arguments, server=server, env=env, stdin=stdin, cwd=cwd, timeout=timeout,
                    shows_secrets=shows_secrets, anew=anew,
                )  # fmt: skip
                if run.seconds < within or run.seconds < within * (slower := slowness()):
                    return run
                took.append(f"{run.seconds:.2f} on a machine {slower:.1f} times as slow as alone")
            raise AssertionError(f"longer than {within} seconds: {took}")
        began = time.perf_counter()
        with start(
            arguments, self._environ(server, env), anew=anew, cwd=cwd or self.directory, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        ) as process:  # fmt: skip
            try:
                stdout, stderr = process.communicate(stdin, timeout)
            except BaseException:
                process.kill()
                raise
        seconds = time.perf_counter() - began
        if not shows_secrets:
            record(stdout + b"\n" + stderr, arguments)
        return Run(process.returncode, stdout, stderr.decode("utf-8", "surrogateescape"), seconds)

    def spawn(
        self,
        *arguments: str,
        server: Server | str | None = None,
        ready: str | None = None,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        shows_secrets: bool = False,
        **popen: Any,
    ) -> Program:
        """Start a program and return when `ready` is on its stdout or stderr; for `reply`: `Listening on`.

        `popen` as tests/starting.py takes it.
        """
        if ready is None and "reply" in arguments[:1]:
            ready = "Listening on"
        environ = self._environ(server, env)
        program = Program(arguments, environ, cwd=cwd or self.directory, **popen)
        self._programs.append((program, shows_secrets))
        if ready:
            program.wait_for(ready)
        return program

    def close(self) -> None:
        """End every program that still runs."""
        for program, shows_secrets in self._programs:
            program.close(shows_secrets)


def one_password(runner: Runner, folder: Path) -> str:
    """A PATH on which `op` gives `s3cr3t-op`, and adds a line to the file `asked` in `folder` each time."""
    op = folder / "bin" / "op"
    op.parent.mkdir()
    op.write_text(f"#!/bin/sh\necho + >>{folder}/asked\nprintf s3cr3t-op\n")
    op.chmod(0o755)
    return f"{op.parent}{os.pathsep}{runner.environ['PATH']}"
