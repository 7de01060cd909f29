"""Runs a nats-server as a local development server that never outlives this process."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from natscli.errors import InputError, PynatsError
from natscli.server.exposure import is_loopback, listening_sockets
from natscli.server.find import find_nats_server
from natscli.server.watchdog import watchdog

LOOPBACK = "127.0.0.1"

_LOG_PREFIX = re.compile(r"^\[\d+\] \S+ \S+ \[[A-Z]+\] ")
_POLL = 0.003
_LOG_PATIENCE = 1.0
_STOP_PATIENCE = 10.0


@dataclass(frozen=True)
class ServerOptions:
    """What to run. A `port` of -1 is a free one, None is the configuration file's or 4222."""

    host: str = LOOPBACK
    port: int | None = None
    config: str | None = None
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
        command += ["--config", options.config]
    if options.port is not None:
        command += ["--port", str(options.port)]
    if options.monitor is not None:
        command += ["--http_port", str(options.monitor)]
    if options.jetstream or options.store_dir is not None:
        command += ["--jetstream", "--store_dir", options.store_dir or os.path.join(scratch, "jetstream")]
    return command


def explain_exit(lines: list[str], status: int | None) -> PynatsError:
    """Why nats-server ended by itself: a signal, its last log line, or its exit status when it said nothing."""
    if status is not None and status < 0:
        return PynatsError(f"nats-server was killed by signal {-status}")
    last = next((line.strip() for line in reversed(lines) if line.strip()), f"exit status {status}")
    reason = _LOG_PREFIX.sub("", last)
    taken = re.search(r"listen tcp (\S+): bind: address already in use", reason)
    if taken:
        return PynatsError(
            f"{taken[1]} is already in use", hint="pynats server run --port -1 picks a free port"
        )
    if reason.startswith("nats-server: "):
        return InputError(f"nats-server refused its configuration: {reason.partition(': ')[2]}")
    return PynatsError(f"nats-server ended: {reason}")


def run(
    options: ServerOptions,
    environ: Mapping[str, str],
    *,
    log: Callable[[str], None],
    ready: Callable[[Listening], None],
    gone: Callable[[], None],
) -> None:
    """Run the server until SIGINT, SIGTERM or SIGHUP stop it.

    `log` gets its log lines, `ready` is called once it accepts connections. `gone` undoes what `ready` did: it
    is called when the server has ended, in another process if this one was killed.

    Raises:
        PynatsError: there is no nats-server, it did not start, or ended by itself.
        InputError: its configuration is wrong, or opens a port to the network that `--host` does not.
    """
    binary = find_nats_server(environ)
    scratch = tempfile.mkdtemp(prefix="pynats-server-")
    try:
        with _Child(command_line(binary, options, scratch), environ) as child:

            def clean_up() -> None:
                shutil.rmtree(scratch, ignore_errors=True)
                gone()

            with watchdog(child.process.pid, clean_up):
                try:
                    _serve(child, options, scratch, log, ready)
                finally:
                    child.stop()
                    gone()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _serve(
    child: _Child,
    options: ServerOptions,
    scratch: str,
    log: Callable[[str], None],
    ready: Callable[[Listening], None],
) -> None:
    """Pass the log on until the server has ended; raises as `run` does."""
    # The log of a start that fails is not shown, only its reason; one that takes long is shown as it comes.
    held: list[str] = []
    show_at = time.monotonic() + _LOG_PATIENCE
    announced = False
    last: list[str] = []
    while not child.log_closed:
        lines = child.read_log(None if announced else _POLL)
        ports = {} if announced else _read_ports(scratch, child.process.pid)
        if ports:
            _check_exposure(ports, child.process.pid, options)
            lines += child.read_log(0)  # what was logged before the ports were opened is shown before the URL
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
    _rest: bytes = b""
    _handlers: dict[int, Any] = field(default_factory=dict)

    def __enter__(self) -> _Child:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # started by nohup
            self._handlers[number] = signal.signal(number, self._on_signal)
        # A session of its own: Ctrl-C reaches this process only, which then stops the server once.
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(self.environ),
            start_new_session=True,
        )
        if self.stopping:
            self.process.terminate()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        again, self.stopping = self.stopping, True
        process = getattr(self, "process", None)
        if process is not None:
            process.send_signal(signal.SIGKILL if again else signal.SIGTERM)

    def stop(self) -> None:
        """End it if it runs, in peace if it lets itself be."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def read_log(self, timeout: float | None) -> list[str]:
        """The whole lines it logged by now; waits for some at most `timeout` seconds. At its end: `log_closed`."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        if not select.select([descriptor], [], [], timeout)[0]:
            return []
        data = os.read(descriptor, 65536)
        self.log_closed = not data
        *lines, self._rest = (self._rest + (data or b"\n")).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines if data or line]


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
                where=options.config,
                hint="set 'host: 127.0.0.1' there, or allow it: --host 0.0.0.0",
            )
