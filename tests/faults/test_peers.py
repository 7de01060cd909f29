"""Servers that are none, or that send what no server should: each command ends in time with one line."""

from __future__ import annotations

import resource
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.asking import Asker
from tests.faults.conftest import Report
from tests.leftovers import record
from tests.program import Program, Runner
from tests.servers import Server
from tests.starting import start

INFO = b'INFO {"server_id":"x","version":"2.10.0","proto":1,"headers":true,"max_payload":%d,"port":1}\r\n'
ENDLESS = 30_000_000

#: What comes after a connection is made; `...` stands for: answer every PING first.
PEERS: dict[str, tuple[bytes, ...]] = {
    "garbage": (bytes(range(256)) * 40,),
    "garbage after INFO": (INFO % 1_000_000, b"...", b"\0\xff" * 500 + b"\r\n"),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",),
    "a huge INFO": (b'INFO {"server_id":"' + b"x" * 10_000_000 + b'"}\r\n',),
    "an INFO nested deeply": (b"INFO " + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"\r\n",),
    "an INFO of other types": (b'INFO {"server_id":1,"max_payload":"x","connect_urls":5,"headers":[]}\r\n',),
    "an INFO that is a list": (b"INFO []\r\n",),
    "an endless line": (b"x" * ENDLESS,),
    "an endless line after INFO": (INFO % 1_000_000, b"...", b"MSG " + b"x" * ENDLESS),
    "a size without end": (INFO % 1_000_000, b"...", b"MSG a 1 " + b"9" * 5_000 + b"\r\n"),
    "a message nobody asked for": (INFO % 1_000_000, b"...", b"MSG a 999 2\r\nhi\r\n" * 1_000),
    "a max_payload of 1": (INFO % 1, b"..."),
    "no max_payload": (INFO % 0, b"..."),
    "an odd error": (INFO % 1_000_000, b"...", b"-ERR '\x1b[2J\xff'\r\n"),
    "the end": (INFO % 1_000_000,),
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "request": ("request", "help", "body"),
    "reply": ("reply", "help", "OK", "--count", "1"),
    "publish": ("publish", "help", "body"),
    "subscribe": ("subscribe", "help", "--count", "1"),
    "rtt": ("rtt",),
    "service": ("service", "ls"),
}


@contextmanager
def peer(parts: tuple[bytes, ...]) -> Iterator[str]:
    """A listener that sends these parts to all who connect, and then the end; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(client: socket.socket) -> None:
            with client, suppress(OSError):
                for part in parts:
                    if part == b"...":
                        asked = b""
                        while b"PING" not in asked:
                            asked += client.recv(65536) or b"PING"
                        client.sendall(b"PONG\r\n")
                    else:
                        client.sendall(part)
                time.sleep(0.05)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"nats://127.0.0.1:{listener.getsockname()[1]}"


#: Bytes of addresses: what grows with what is received fails.
ROOM = 2_000_000_000


@pytest.mark.parametrize("what", PEERS)
def test_every_command_ends_in_time_with_one_line(runner: Runner, report: Report, what: str) -> None:
    """A listener goes on trying after it was connected, so it may have to be asked to end."""
    took = []
    with peer(PEERS[what]) as url:
        programs = {
            name: start(
                [*command, "--timeout", "2s"], {**runner.environ, "NATS_URL": url}, cwd=runner.directory,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for name, command in COMMANDS.items()
        }  # fmt: skip
        for program in programs.values() if hasattr(resource, "prlimit") else ():  # only Linux has it
            resource.prlimit(program.pid, resource.RLIMIT_AS, (ROOM, ROOM))
        for name, program in programs.items():
            began = time.monotonic()
            try:
                out, err = program.communicate(timeout=12)
            except subprocess.TimeoutExpired:
                assert name in ("reply", "subscribe"), f"{name} hangs"
                program.terminate()
                out, err = program.communicate(timeout=10)
            took.append(time.monotonic() - began)
            record(out + b"\n" + err, [name])
            errors = [line for line in err.decode().splitlines() if line.startswith("pynats: error: ")]
            assert b"Traceback" not in err
            assert b"\x1b[2J" not in err
            assert (program.returncode in (2, 3, 4, 5)) == bool(errors) or program.returncode == 0, (
                err.decode()
            )
            assert len(errors) <= 2, err.decode()
    report(f"server that sends {what}, under {len(took)} commands", tries=len(took), survived=len(took))


def test_a_max_payload_that_changes_is_kept(
    spawn: Callable[..., Program], server_factory: Callable[..., Server], report: Report
) -> None:
    server = server_factory("max_payload: 1MB\n")
    responder = spawn("reply", "help", "--echo", server=server)
    with Asker(server) as asker:
        assert len(asker.ask("help", b"x" * 500_000)[0].payload) == 500_000
    server.restart("max_payload: 1000\n")
    responder.wait_for("Reconnected to")
    with Asker(server) as asker:
        assert len(asker.ask("help", b"x" * 900)[0].payload) == 900
    assert responder.stop() == 0
    report("server that comes back with another max_payload")
