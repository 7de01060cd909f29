"""What runs on every system runs without the parts of Python that only POSIX systems have.

Windows itself is tested by the workflow in `.github/`; here those parts are taken away before pynats starts.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import Runner
from tests.servers import Server

#: Imported by Python as it starts. What Python's own modules need on this system (WNOHANG, SIGKILL) has to stay.
TAKE_AWAY = """
import os, select, signal, sys

for name in ("fcntl", "termios", "tty", "pty", "resource", "pwd", "grp", "syslog"):
    sys.modules[name] = None
for module, names in {
    os: "fork forkpty posix_spawn posix_spawnp killpg getpgid getpgrp setpgid setsid getuid geteuid getgid waitid "
        "O_CLOEXEC O_NONBLOCK O_NOFOLLOW fchmod fchown mkfifo openpty sendfile uname",
    select: "poll epoll PIPE_BUF",
    signal: "SIGHUP SIGCHLD SIGPIPE SIGQUIT SIGUSR1 SIGUSR2 SIGALRM SIGWINCH SIGTSTP SIGCONT SIGSTOP alarm pause "
        "setitimer siginterrupt pthread_kill pthread_sigmask sigwait",
}.items():
    for name in names.split():
        needed = name == "O_NONBLOCK" and sys.version_info >= (3, 13)  # by shutil.rmtree
        if hasattr(module, name) and not needed:
            delattr(module, name)

def sysconf(name):  # asyncio calls it where sockets have sendmsg, as they have here
    raise OSError(f"no {name}")

os.sysconf = sysconf
"""


@pytest.fixture
def portable(runner: Runner, tmp_path: Path) -> Runner:
    """Runs pynats where none of that is there."""
    folder = tmp_path / "take-away"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(TAKE_AWAY)
    runner.environ["PYTHONPATH"] = str(folder)
    return runner


def python(runner: Runner, program: str) -> str:
    """What a Python program prints there."""
    return subprocess.run(
        [sys.executable, "-c", program], env=runner.environ, capture_output=True, text=True, check=True
    ).stdout


def test_the_parts_are_really_gone(portable: Runner) -> None:
    program = """
import os, signal
print(hasattr(os, "fork"), hasattr(signal, "SIGHUP"))
try:
    import fcntl
except ImportError:
    print("none")
"""
    assert python(portable, program).split() == ["False", "False", "none"]


def test_every_module_can_be_imported(portable: Runner) -> None:
    program = """
import importlib, pkgutil, natscli
for module in pkgutil.walk_packages(natscli.__path__, "natscli."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        print(module.name)
"""
    assert {"natscli.reply.responders.command", "natscli.server.run"} < set(python(portable, program).split())


def test_requests_are_answered(portable: Runner, nats_server: Server) -> None:
    replier = portable.spawn("reply", "weather.*", "It rains in {{1}}", server=nats_server)
    run = portable("request", "weather.london", "", "--raw", server=nats_server)
    assert (run.status, run.text) == (0, "It rains in london")
    assert replier.stop(signal.SIGTERM) == 0
    assert "weather.london" in replier.stderr_text()


def test_standard_input_and_echo(portable: Runner, nats_server: Server) -> None:
    portable.spawn("reply", "echo", "--echo", server=nats_server)
    run = portable("request", "echo", "--send-on", "newline", "--json", stdin=b"1\n2\n", server=nats_server)
    assert [record["data"] for record in run.objects] == ["1", "2"]


def test_contexts_are_added_selected_edited_and_removed(portable: Runner, nats_server: Server) -> None:
    for arguments in (
        ("context", "add", "local", "--server", nats_server.url, "--select"),
        ("context", "cp", "local", "other"),
        ("context", "validate", "--connect"),
        ("context", "rm", "other", "--force"),
    ):
        run = portable(*arguments)
        assert run.status == 0, run.stderr
    assert portable("context", "edit", "local", env={"EDITOR": f'"{sys.executable}" -c pass'}).status == 0
    assert portable("context", "ls", "--names").lines == ["local"]
    assert portable("request", "nobody.there", "").status == 3


def test_server_run_starts_and_stops_a_server(portable: Runner) -> None:
    program = portable.spawn("server", "run", "--port", "-1", "--context", "dev", ready="Ready, Ctrl-C")
    assert program.stderr_text().count("On Windows") == 1
    program.wait_until(lambda: program.stdout_bytes().endswith(b"\n"), "the URL")
    url = program.stdout_bytes().decode().strip()
    assert portable("request", "nobody.there", "", "--context", "dev").status == 3
    assert program.stop(signal.SIGINT) == 0
    assert portable("context", "ls", "--names").lines == []
    assert portable("request", "nobody.there", "", server=url).status == 5


def test_ctrl_c_ends_a_request_with_130(portable: Runner, nats_server: Server) -> None:
    portable.spawn("reply", "slow", "--sleep", "1m", server=nats_server)
    program = portable.spawn("request", "slow", "", "--timeout", "1m", server=nats_server, ready="Sending")
    assert program.stop(signal.SIGINT) == 130
