"""What the tests of faults have in common: a load whose every request is accounted for, and the figures they print."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.asking import Asker
from tests.program import Program
from tests.servers import Server

#: Seconds that a server is paused for, or silent; `make soak` makes them 15.
PAUSE = float(os.environ.get("PYNATS_FAULTS_PAUSE", "2"))
_ALONE = "PYNATS_FAULTS_PAUSE" in os.environ
#: Seconds in which it must go on, once the server is back; more where other tests run beside.
RECOVERY = 2.0 if _ALONE else 10.0
#: Seconds between faults of one kind. After a connection that has not lasted five seconds pauses grow, to five.
SPACING = 5.5 if _ALONE else 0.4

Report = Callable[..., None]


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Report:
    """`report(fault, tries=, survived=, lost=, seconds=)`: a row of the table that is printed at the end."""

    def add(
        fault: str, *, tries: int = 1, survived: int = 1, lost: int | str = 0, seconds: float | None = None
    ) -> None:
        recovery = "" if seconds is None else f"{seconds:.2f} s"
        record_property("fault", f"| {fault} | {tries} | {survived} | {lost} | {recovery} |")
        assert survived == tries

    return add


class Load:
    """`pynats request` at a rate, in the background, which says at its end what became of every request."""

    def __init__(self, program: Program, summary: Path) -> None:
        self._program = program
        self._summary = summary

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._program.status is not None

    def finish(self) -> dict[str, Any]:
        """Wait for its end; the summary, in which every request was answered once or has failed."""
        self._program.wait(60)
        assert "Traceback" not in self._program.stderr_text()
        summary: dict[str, Any] = json.loads(self._summary.read_text())
        assert summary["sent"] == summary["answered"] + summary["failed"]
        assert summary["in_flight"] == 0
        return summary


@pytest.fixture
def load(spawn: Callable[..., Program], tmp_path: Path) -> Callable[..., Load]:
    """`load(subject, server=..., seconds=..., rate=200)` starts one, which sends again what fails."""

    def start(
        subject: str,
        *arguments: str,
        server: Server | str,
        seconds: float,
        rate: int = 200,
        retries: int = 20,
    ) -> Load:
        summary = tmp_path / f"summary-{time.monotonic_ns()}.json"
        again = ("--retries", str(retries)) if retries else ()
        program = spawn(
            "request", subject, "{{Count}}", "--rate", str(rate), "--duration", f"{seconds}s", "--timeout", "2s",
            *again, "--summary-json", str(summary), "--quiet", *arguments, server=server,
        )  # fmt: skip
        return Load(program, summary)

    return start


def seconds_until_answered(server: Server | str, subject: str) -> float:
    """Seconds until somebody answers there."""
    began = time.monotonic()
    while time.monotonic() - began < 30:
        try:
            with Asker(server) as asker:
                if not asker.ask(subject, b"x", timeout=1)[0].header.startswith(b"NATS/1.0 503"):
                    return time.monotonic() - began
        except (OSError, AssertionError):
            pass
        time.sleep(0.01)
    raise AssertionError("nobody answers")
