"""Runs a nats-server for development, for as long as this process runs."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from natscli.errors import InputError, PynatsError
from natscli.server.exposure import is_loopback, listening_sockets
from natscli.server.find import find_nats_server
from natscli.server.watchdog import UNAVAILABLE, watchdog
from natscli.system.signals import on_stop
from natscli.text import for_programs

LOOPBACK = "127.0.0.1"

_LOG_PREFIX = re.compile(r"^\[\d+\] \S+ \S+ \[([A-Z]+)\] ")
_POLL = 0.003
_LOG_PATIENCE = 1.0
#: The file for a configuration that was not in one; it is only in the way of what is said of it.
_FROM_STDIN = "standard input"
#: The last line of a server that starts.
_READY = "Server is ready"
#: How long (seconds) the log must be silent to be taken for complete.
_SILENCE = 0.01
#: Seconds: on Windows, Ctrl-C does not interrupt waiting for a thread.
_LONGEST_WAIT = 0.2 if sys.platform == "win32" else None
_STOP_PATIENCE = 10.0


@dataclass(frozen=True)
class ServerOptions:
    """What to run. A `port` of -1 is a free one, None is the configuration's or 4222.

    `config` is the path of its configuration, or `-` for what is in `config_text`.
    """

    host: str = LOOPBACK
    port: int | None = None
    config: str | None = None
    config_text: bytes = b""
    jetstream: bool = False
    store_dir: str | None = None
    monitor: int | None = None


@dataclass(frozen=True)
class Listening:
    """A server that accepts connections: its client URL, and its monitoring URL if it has one."""

    url: str
    monitor_url: str | None = None


def command_line(binary: str, options: ServerOptions, scratch: str) -> list[str]:
    """The command that runs the server; flags win over the configuration file.

    The address is always given, so that a configuration file cannot open the client port to the network.
    """
    command = [binary, "--addr", options.host, "--ports_file_dir", scratch]
    if options.config is not None:
        command += [
            "--config",
            os.path.join(scratch, _FROM_STDIN) if options.config == "-" else options.config,
        ]
    if options.port is not None:
        command += ["--port", str(options.port)]
    if options.monitor is not None:
        command += ["--http_port", str(options.monitor)]
    if options.jetstream or options.store_dir is not None:
        command += ["--jetstream", "--store_dir", options.store_dir or os.path.join(scratch, "jetstream")]
    return command


def read_log_line(line: str) -> tuple[str, str]:
    """The level of a line that nats-server logged (`INF`, `WRN`, ...; may be empty), and what it says."""
    found = _LOG_PREFIX.match(line)
    return (found[1], line[found.end() :]) if found else ("", line)


def explain_exit(lines: list[str], status: int | None) -> PynatsError:
    """Why nats-server ended by itself: a signal, its last log line, or its exit status when it logged nothing."""
    if status is not None and status < 0:
        return PynatsError(f"nats-server was killed by signal {-status}")
    last = next((line.strip() for line in reversed(lines) if line.strip()), f"exit status {status}")
    reason = _LOG_PREFIX.sub("", last)
    taken = re.search(r"listen tcp (\S+): bind: (?:address already in use|Only one usage of)", reason)
    if taken:
        free = "pynats server run --port -1 picks a free port"
        if _is_nats_server(taken[1]):
            return PynatsError(
                f"{taken[1]} is already in use by a NATS server", hint=f"use that one, or: {free}"
            )
        return PynatsError(f"{taken[1]} is already in use", hint=free)
    if reason.startswith("nats-server: "):
        return InputError(f"nats-server refused its configuration: {reason.partition(': ')[2]}")
    return PynatsError(f"nats-server ended: {reason}")


def _is_nats_server(address: str) -> bool:
    """Whether a NATS server answers at `address`, as the log writes it: `127.0.0.1:4222`, `[::]:4222`."""
    import socket

    host, _, port = address.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))
    try:
        with socket.create_connection((host, int(port)), timeout=1) as connection:
            return connection.recv(5) == b"INFO "
    except (OSError, ValueError):
        return False


def run(
    options: ServerOptions,
    environ: Mapping[str, str],
    *,
    log: Callable[[str], None],
    ready: Callable[[Listening], None],
    gone: Callable[[], None],
    verbose: bool = False,
) -> None:
    """Run the server until a signal asks this program to end.

    `log` gets its log lines, those about its start only when it is slow, or `verbose`. `ready` is called once it
    accepts connections. `gone` undoes what `ready` did: it is called when the server has ended, in another process if
    this one was killed.

    Raises:
        PynatsError: there is no nats-server, it did not start, or ended by itself.
        InputError: its configuration is wrong, or opens a port to the network that `--host` does not.
    """
    binary = find_nats_server(environ)
    scratch = tempfile.mkdtemp(prefix="pynats-server-")
    try:
        _write_config(options, scratch)
        with _Child(command_line(binary, options, scratch), environ) as child:

            def clean_up() -> None:
                shutil.rmtree(scratch, ignore_errors=True)
                gone()

            with watchdog(child.process.pid, clean_up):
                if UNAVAILABLE:
                    log(UNAVAILABLE)
                try:
                    _serve(child, options, scratch, log if verbose else _Calm(log), ready)
                finally:
                    child.stop()
                    gone()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_config(options: ServerOptions, scratch: str) -> None:
    if options.config == "-":
        with open(os.path.join(scratch, _FROM_STDIN), "wb") as file:
            file.write(options.config_text)


class _Calm:
    """A log without what a server says of its start; warnings and errors are shown, and all that comes later."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._began = time.monotonic()
        self._starting = True

    def __call__(self, line: str) -> None:
        starting = self._starting and time.monotonic() < self._began + _LOG_PATIENCE
        self._starting = starting and _READY not in line
        if not starting or "[INF]" not in line:
            self._log(line)


def _serve(
    child: _Child,
    options: ServerOptions,
    scratch: str,
    log: Callable[[str], None],
    ready: Callable[[Listening], None],
) -> None:
    """Pass the log on until the server has ended; raises as `run` does."""
    # Of a start that fails only the reason is shown, of one that takes long the whole log as it comes.
    held: list[str] = []
    show_at = time.monotonic() + _LOG_PATIENCE
    announced = False
    last: list[str] = []
    while not child.log_closed:
        lines = child.read_log(None if announced else _POLL)
        if options.config == "-":
            lines = [line.replace(os.path.join(scratch, _FROM_STDIN), _FROM_STDIN) for line in lines]
        ports = {} if announced else _read_ports(scratch, child.process.pid)
        if ports:
            _check_exposure(ports, child.process.pid, options)
            # What it logged before it opened the ports is shown before the URL.
            while more := child.read_log(_SILENCE):
                lines += more
        last = (last + lines)[-20:]
        held += lines
        if announced or ports or time.monotonic() > show_at:
            for line in held:
                log(line)
            held = []
        if ports:
            ready(Listening(ports["nats"][0], next(iter(ports.get("monitoring", [])), None)))
            announced = True
    status = child.process.wait()
    if not child.stopping:
        raise explain_exit(last, status)


@dataclass
class _Child:
    """The nats-server process; as a context manager, signals stop it while it is entered."""

    command: list[str]
    environ: Mapping[str, str]
    stopping: bool = False
    log_closed: bool = False
    _lines: queue.Queue[str | None] = field(default_factory=queue.Queue)
    _reader: threading.Thread | None = None
    _handlers: dict[int, Any] = field(default_factory=dict)

    def __enter__(self) -> _Child:
        self._handlers = on_stop(self._on_signal)
        # A session or group of its own: Ctrl-C reaches this process only, which then stops the server once.
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(self.environ),
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        if self.stopping:
            self._ask_to_end()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        again, self.stopping = self.stopping, True
        if hasattr(self, "process"):
            if again:
                self.process.kill()
            else:
                self._ask_to_end()

    def _ask_to_end(self) -> None:
        if sys.platform == "win32":
            try:
                self.process.send_signal(signal.CTRL_BREAK_EVENT)
            except OSError:  # this process has no console
                self.process.terminate()
        else:
            self.process.terminate()

    def stop(self) -> None:
        """End it if it runs, by force if it does not end within 10 seconds."""
        if self.process.poll() is None:
            self._ask_to_end()
            try:
                self.process.wait(_STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def read_log(self, timeout: float | None) -> list[str]:
        """The lines it logged by now; waits at most `timeout` seconds for the first. At the end: `log_closed`."""
        if self._reader is None:  # not sooner: the watchdog has been forked off by now
            self._reader = threading.Thread(target=self._read, name="log", daemon=True)
            self._reader.start()
        lines: list[str] = []
        with suppress(queue.Empty):
            line = self._lines.get(timeout=_LONGEST_WAIT if timeout is None else timeout)
            while line is not None:
                lines.append(line)
                line = self._lines.get_nowait()
            self.log_closed = True
        return lines

    def _read(self) -> None:
        # In a thread, because Windows can wait for sockets only, not for a pipe.
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(for_programs(line).rstrip("\r\n"))
        self._lines.put(None)


def _read_ports(folder: str, pid: int) -> dict[str, list[str]]:
    """What nats-server writes when it accepts connections: URLs by kind. Empty while it has not."""
    import json

    for name in os.listdir(folder):
        if name.endswith(f"_{pid}.ports"):
            with suppress(ValueError), open(os.path.join(folder, name), "rb") as file:
                return dict(json.load(file))
    return {}


def _check_exposure(ports: Mapping[str, list[str]], pid: int, options: ServerOptions) -> None:
    """Raises InputError when other machines can reach a port though `--host` is this machine's loopback.

    A configuration file can open ports (leaf nodes, WebSocket, MQTT, ...) at addresses of their own.
    """
    if options.config is None or not is_loopback(options.host):
        return
    from urllib.parse import urlsplit

    addresses = {(u.hostname or "", u.port or 0) for urls in ports.values() for u in map(urlsplit, urls)}
    for host, port in sorted(addresses | listening_sockets(pid)):
        if not is_loopback(host):
            raise InputError(
                f"the configuration opens port {port} to the network at {host}, so the server was stopped",
                where=_FROM_STDIN if options.config == "-" else options.config,
                hint="set 'host: 127.0.0.1' there, or allow it: --host 0.0.0.0",
            )
