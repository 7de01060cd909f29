"""Starting `pynats`: forked from a process that has imported what all commands that connect need.

Else most of what the suite takes of a processor would be thousands of starts of Python. What is forked is a process as
any other, with its own arguments, environment, directory, streams, signals and end. Python is started anew where a test
asks for it or for something that belongs to a start: other variables of Python, a session or limits of its own, a
terminal; on other systems than Linux; and always with `PYNATS_TEST_START=anew`, as `make test-another` has it.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

#: What is imported before: the command line, and what connects. What a command is made of is imported when it runs.
_MODULES = ("natscli.cli.root", "natscli.connection.connect")
_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
#: What the names of variables begin with that Python reads when it starts.
_OF_PYTHON = ("PYTHON", "LC_", "LANG", "MALLOC")


def start(
    arguments: Sequence[str], environ: Mapping[str, str], *, anew: bool = False, **popen: Any
) -> subprocess.Popen[bytes]:
    """Start `pynats` with these arguments and this environment; `popen` as `subprocess.Popen` takes it."""
    alike = popen.keys() <= {"stdin", "stdout", "stderr", "cwd"} and sys.platform == "linux"
    if anew or not alike or os.environ.get("PYNATS_TEST_START") == "anew":
        return subprocess.Popen([sys.executable, "-m", "natscli", *arguments], env=dict(environ), **popen)
    starter = _starter(os.getpid())
    if starter.of_python != _of_python(environ):
        return start(arguments, environ, anew=True, **popen)
    return _Forked(starter, arguments, environ, **popen)


def _of_python(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(_OF_PYTHON)}


@cache
def _starter(pid: int) -> _Starter:
    """The one of this process of the tests."""
    return _Starter()


def end() -> None:
    """End what processes are forked from; those go on."""
    if _starter.cache_info().currsize:
        _starter(os.getpid()).close()


class _Starter:
    """The process that others are forked from."""

    def __init__(self) -> None:
        environ = usual_environment()
        self.of_python = _of_python(environ)
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._lock = threading.Lock()
        self._control, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("starter.py"), str(other.fileno()), *_MODULES],
                env=environ, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def fork(self, request: bytes, descriptors: Sequence[int]) -> int:
        """The process id of a new child of this process."""
        with self._lock:
            socket.send_fds(self._control, [len(request).to_bytes(8, "big")], descriptors)
            self._control.sendall(request)
            return int(self._control.recv(20, socket.MSG_WAITALL))

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._process.wait()


class _Forked(subprocess.Popen[bytes]):
    """A child as `subprocess.Popen` has them, but for where it comes from."""

    def __init__(
        self, starter: _Starter, arguments: Sequence[str], environ: Mapping[str, str], **popen: Any
    ) -> None:
        self._starter = starter
        super().__init__(arguments, env=environ, **popen)

    def _execute_child(self, *details: Any) -> None:
        arguments, cwd, environ, pipes = details[0], details[5], details[6], details[10:16]
        request = (
            [os.fsencode(argument) for argument in arguments],
            {os.fsencode(name): os.fsencode(value) for name, value in environ.items()},
            os.fsencode(cwd or os.getcwd()),
        )
        descriptors = [n if given == -1 else given for n, given in enumerate((pipes[0], pipes[3], pipes[5]))]
        self.pid = self._starter.fork(marshal.dumps(request), descriptors)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


#: What changes what pynats does, or how long each of its thousands of starts takes.
_REMOVED = ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "PYTHONUNBUFFERED",
            "PYTHONDONTWRITEBYTECODE")  # fmt: skip


def usual_environment() -> dict[str, str]:
    """This process's environment without anything that pynats reads."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NATS_", "_PYNATS", "XDG_"))}
    for name in _REMOVED:
        kept.pop(name, None)
    scripts = str(Path(sys.executable).parent)
    return kept | {
        "PATH": f"{scripts}{os.pathsep}{kept.get('PATH', '')}",
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
    }
