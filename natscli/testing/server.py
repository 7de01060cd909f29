"""A nats-server of a test run: on a free port, and ended with the run whatever happens to it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from natscli.errors import PynatsError
from natscli.server.find import find_nats_server
from natscli.server.watchdog import watchdog

#: Seconds in which a server starts, and ends.
_DEADLINE = 20.0


class NatsServer:
    """A real nats-server on 127.0.0.1: `url` is where clients connect.

    Args:
        jetstream: with JetStream, its streams in a folder that is removed at the end.
        config: more of a configuration file, such as `authorization { ... }`.
    """

    def __init__(self, *, jetstream: bool = False, config: str = "") -> None:
        self.jetstream = jetstream
        self.config = config
        self.port = -1
        self.paused = False
        #: Each is called when it has started, also again, and waits for what `start` is to wait for.
        self.on_start: list[Callable[[], object]] = []
        self._folder = Path(tempfile.mkdtemp(prefix="natscli-testing-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._watched = ExitStack()

    @property
    def url(self) -> str:
        """`nats://127.0.0.1:PORT`"""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self.running and self._process is not None else None

    @property
    def running(self) -> bool:
        """Whether its process is there; a paused one is."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it has logged so far."""
        path = self._folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it, on the same port as before; returns when it accepts connections.

        The clients and responders of the fixtures are connected and subscribed again then.

        Raises:
            PynatsError: there is no nats-server, or it does not start; with its last lines. Or one of those does not
                connect again.
        """
        if not self.running:
            self._run()
            for wait in tuple(self.on_start):
                wait()

    def _run(self) -> None:
        (self._folder / "server.conf").write_text(self.config)
        command = [
            find_nats_server(os.environ), "-a", "127.0.0.1", "-p", str(self.port),
            "-c", str(self._folder / "server.conf"), "--ports_file_dir", str(self._folder),
        ]  # fmt: skip
        if self.jetstream:
            command += ["-js", "-sd", str(self._folder / "jetstream")]
        with (self._folder / "server.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._process = process
        self._watched.enter_context(watchdog(process.pid, self._remove))
        ports = self._folder / f"{Path(command[0]).name}_{process.pid}.ports"
        deadline = time.monotonic() + _DEADLINE
        while not (port := _port(ports)):
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                last = " | ".join(self.log.splitlines()[-3:])
                raise PynatsError(f"nats-server did not start: {last}")
            time.sleep(0.002)
        self.port = port

    def stop(self) -> None:
        """End it: connections break, and clients try to reconnect until `start` or `restart`."""
        self._watched.close()
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            self.resume()
            try:
                self._process.wait(_DEADLINE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def restart(self) -> None:
        """End it and start it again, on the same port; streams are kept, clients reconnect."""
        self.stop()
        self.start()

    def pause(self) -> Pause:
        """Stop its process without ending it: connections stay, and nothing is answered. On POSIX systems only.

        `with server.pause(): ...` resumes at the end of the block, else `server.resume()` does.
        """
        assert self._process is not None, "it does not run"
        if sys.platform == "win32":
            raise PynatsError("Windows cannot pause a process")
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # until then its threads may go on, and answer
        self.paused = True
        return Pause(self)

    def resume(self) -> None:
        """Go on after `pause`."""
        if sys.platform != "win32" and self.paused and self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGCONT)
        self.paused = False

    def close(self) -> None:
        """End it for good, and remove its files."""
        self.stop()
        self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class Pause:
    """A server that is paused to the end of a block."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server

    def __enter__(self) -> NatsServer:
        return self._server

    def __exit__(self, *_: object) -> None:
        self._server.resume()


@contextmanager
def running(*, jetstream: bool = False, config: str = "") -> Iterator[NatsServer]:
    """A server to the end of the block."""
    server = NatsServer(jetstream=jetstream, config=config)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _port(path: Path) -> int:
    """The port in the file that a server writes when it is ready; 0 before."""
    import json

    try:
        ports = json.loads(path.read_text())
        return int(ports["nats"][0].rpartition(":")[2])
    except (OSError, ValueError, LookupError):
        return 0
