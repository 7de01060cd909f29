"""Streams that are closed, a home that is missing or cannot be written, terminals that can little."""

from __future__ import annotations

import fcntl
import os
import pty
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator

import pytest

from natscli.output.columns import width_of
from tests.asking import Asker
from tests.faults.conftest import Report
from tests.leftovers import record
from tests.program import Program, Runner
from tests.servers import Server

COMMANDS: dict[str, tuple[str, ...]] = {
    "request": ("request", "f.odd", "x"),
    "request --raw": ("request", "f.odd", "x", "--raw", "--count", "3"),
    "request --json": ("request", "f.odd", "x", "--json", "--count", "3"),
    "request --count": ("request", "f.odd", "x", "--count", "200", "--concurrency", "10"),
    "request --replies": ("request", "f.odd", "x", "--replies", "3", "--timeout", "300ms"),
    "request to nobody": ("request", "f.nobody", "x"),
    "publish": ("publish", "f.odd", "x"),
    "rtt": ("rtt", "--count", "2"),
    "rtt --json": ("rtt", "--count", "2", "--json"),
    "service ls": ("service", "ls", "--timeout", "300ms"),
    "context ls": ("context", "ls"),
    "--help": ("--help",),
    "reply --count": ("reply", "f.once", "OK", "--count", "1"),
    "subscribe --count": ("subscribe", "f.once", "--count", "1"),
}
#: Redirections of a shell, and what they mean.
STREAMS = {
    ">&-": "stdout closed", "2>&-": "stderr closed", "<&-": "stdin closed", "<&- >&- 2>&-": "all streams closed",
    ">/dev/full": "stdout full", "2>/dev/full": "stderr full", "| head -1": "a reader that leaves after a line",
    "| true": "a reader that leaves at once",
}  # fmt: skip
SURROUNDINGS: dict[str, dict[str, str | None]] = {
    "no HOME": {"HOME": None, "XDG_CONFIG_HOME": None},
    "a HOME that is a file": {"HOME": "/dev/null", "XDG_CONFIG_HOME": None},
    "a HOME that cannot be written": {"HOME": "/proc", "XDG_CONFIG_HOME": None},
    "LANG=C": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "an empty PATH": {"PATH": ""},
}


@pytest.fixture
def responder(spawn: Callable[..., Program], nats_server: Server) -> Iterator[Asker]:
    """Somebody who answers on `f.odd`, and who asks on `f.once` what is started there."""
    spawn("reply", "f.odd", "Ünï: {{Request}}", server=nats_server)
    with Asker(nats_server) as asker:
        yield asker


def ended(runner: Runner, asker: Asker, line: str, env: dict[str, str | None]) -> tuple[int, bytes]:
    """The status and the output of a line of the shell; what waits for a message gets one."""
    environ: dict[str, str | None] = {
        **runner.environ,
        "NATS_URL": asker.url,
        "PYTHON": sys.executable,
        **env,
    }
    process = subprocess.Popen(
        ["/bin/bash", "-c", f"set -o pipefail; {line}"], cwd=runner.directory, stdin=subprocess.DEVNULL,
        env={name: value for name, value in environ.items() if value is not None},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    with process:
        for _ in range(200):
            if "f.once" in line:
                asker.send("f.once", b"x")
            try:
                output, _ = process.communicate(timeout=0.1)
            except subprocess.TimeoutExpired:
                continue
            record(output, shlex.split(line)[3:5])
            return process.returncode, output
        process.kill()
    raise AssertionError(f"it hangs: {line}")


@pytest.mark.parametrize("redirection", STREAMS)
def test_closed_and_full_streams(pynats: Runner, responder: Asker, report: Report, redirection: str) -> None:
    for name, arguments in COMMANDS.items():
        status, output = ended(
            pynats, responder, f'"$PYTHON" -m natscli {shlex.join(arguments)} {redirection}', {}
        )
        assert b"Traceback" not in output, name
        assert b"Exception" not in output, name
        assert 0 <= status <= 7 or status == 130, (name, status, output)
    report(
        f"{STREAMS[redirection]}, under {len(COMMANDS)} commands", tries=len(COMMANDS), survived=len(COMMANDS)
    )


@pytest.mark.parametrize("what", SURROUNDINGS)
def test_odd_surroundings(pynats: Runner, responder: Asker, report: Report, what: str) -> None:
    for name, arguments in COMMANDS.items():
        line = f'"$PYTHON" -m natscli {shlex.join(arguments)}'
        status, output = ended(pynats, responder, line, SURROUNDINGS[what])
        assert b"Traceback" not in output, name
        expected = 3 if name in ("request to nobody", "service ls") else 4 if "--replies" in name else 0
        assert status == expected, (name, status, output)
    status, output = ended(
        pynats, responder, '"$PYTHON" -m natscli context add x -s 127.0.0.1', SURROUNDINGS[what]
    )
    assert status in (0, 1)
    assert (b"pynats: error: " in output) == (status == 1), output
    report(f"{what}, under {len(COMMANDS) + 1} commands", tries=len(COMMANDS) + 1, survived=len(COMMANDS) + 1)


def on_a_terminal(runner: Runner, arguments: tuple[str, ...], columns: int, **env: str) -> bytes:
    """What a command writes to a terminal so wide."""
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([sys.executable, "-m", "natscli", *arguments], stdin=subprocess.DEVNULL, stdout=other,
                               stderr=other, env={**runner.environ, **env}, cwd=runner.directory)  # fmt: skip
    os.close(other)
    shown = b""
    try:
        while data := os.read(main, 65536):
            shown += data
    except OSError:  # the other end was closed
        pass
    os.close(main)
    assert process.wait(30) in (0, 3, 4)
    record(shown, arguments)
    return shown


SHOWN = [name for name in COMMANDS if "f.once" not in COMMANDS[name]]


def test_a_terminal_without_escape_sequences(pynats: Runner, responder: Asker, report: Report) -> None:
    for name in SHOWN:
        shown = on_a_terminal(pynats, COMMANDS[name], 80, TERM="dumb", NATS_URL=responder.url)
        assert b"\x1b" not in shown, (name, shown)
    report(f"TERM=dumb, under {len(SHOWN)} commands", tries=len(SHOWN), survived=len(SHOWN))


def test_a_terminal_of_40_columns(pynats: Runner, responder: Asker, report: Report) -> None:
    """Tables, bars and help fit; lines of the log and payloads are as long as they are."""
    for name in ("request --count", "request --replies", "rtt", "service ls", "context ls", "--help"):
        shown = on_a_terminal(pynats, COMMANDS[name], 40, NO_COLOR="1", NATS_URL=responder.url).decode()
        drawn = [line for line in shown.replace("\r", "\n").splitlines() if set(line) & set("│─━█▇▆▅▄▃▂▁╇┃")]
        assert all(width_of(line) <= 40 for line in drawn), (name, drawn)
    report("a terminal of 40 columns, under 6 commands", tries=6, survived=6)
