"""WebSocket URLs: TLS that is asked for, and logins in the URL."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from urllib.parse import quote

import pytest

from natscli.wire.client import Client
from natscli.wire.login import TLSNotOfferedError
from tests.certificates import Certificates
from tests.program import Runner
from tests.servers import Server, free_port

LOGIN = 'authorization { user: u, password: "s3cr3t-p" }\n'


def in_the_clear(port: int) -> str:
    return f"websocket {{ host: 127.0.0.1, port: {port}, no_tls: true }}\n"


@pytest.mark.parametrize("how", ["--tlsca", "--tlscert", "--tlsfirst", "context"])
def test_tls_that_is_asked_for_is_never_skipped_with_ws(
    how: str, pynats: Runner, server_factory: Callable[..., Server], certificates: Certificates
) -> None:
    port = free_port()
    server = server_factory(in_the_clear(port) + LOGIN, "-D")
    url = f"ws://u:s3cr3t-p@127.0.0.1:{port}"
    options = {
        "--tlsca": ["--tlsca", str(certificates.ca)],
        "--tlscert": ["--tlscert", str(certificates.client_cert), "--tlskey", str(certificates.client_key)],
        "--tlsfirst": ["--tlsfirst"],
        "context": ["--context", "secure"],
    }[how]
    given = how
    if how == "context":
        added = pynats("context", "add", "secure", "--server", url, "--tlsca", str(certificates.ca))
        assert added.status == 0, added.stderr
        given = "context 'secure'"
        run = pynats("context", "validate", "secure", "--connect")
        assert (run.status, "TLS was asked for and ws:// is without it" in run.text) == (2, True)
    for servers in ([url], [f"wss://127.0.0.1:{port}", url]):
        run = pynats("rtt", *options, "--server", ",".join(servers))
        assert run.status == 2
        assert run.errors == [
            f"pynats: error: TLS was asked for and ws:// is without it ({given})",
            f"  hint: wss://127.0.0.1:{port}",
        ]
    assert "Client connection created" not in server.log()


def test_the_client_itself_never_logs_in_over_ws_where_tls_is_required() -> None:
    async def connect(port: int) -> None:
        client = Client(require_tls=True)
        try:
            with pytest.raises(TLSNotOfferedError):
                await client.connect([f"ws://u:p@127.0.0.1:{port}"], max_reconnect_attempts=0, error_cb=fail)
        finally:
            await client.discard()

    async def fail(error: Exception) -> None:
        raise error

    with socket.create_server(("127.0.0.1", 0)) as server:
        asyncio.run(connect(server.getsockname()[1]))
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize(
    ("user", "password"),
    [("a:b", "s3cr3t-p@ss/%"), ("bob", "s3cr3t-\u043f\u0430\u0440\u043e\u043b\u044c"), ("\u043f", "")],
    ids=["signs", "Cyrillic", "token"],
)
def test_any_login_may_be_in_the_url(
    user: str,
    password: str,
    secure: bool,
    pynats: Runner,
    server_factory: Callable[..., Server],
    certificates: Certificates,
) -> None:
    port = free_port()
    listen = f"websocket {{ host: 127.0.0.1, port: {port}\n{certificates.server_config()} }}\n"
    login = f'user: "{user}", password: "{password}"' if password else f'token: "{user}"'
    server_factory((listen if secure else in_the_clear(port)) + f"authorization {{ {login} }}")
    written = quote(user, "") + (f":{quote(password, '')}" if password else "")
    url = f"{'wss' if secure else 'ws'}://{written}@127.0.0.1:{port}"
    options = ["--tlsca", str(certificates.ca)] if secure else []
    run = pynats("request", "nobody", "x", *options, server=url)
    assert run.status == 3, run.stderr


def test_the_login_in_the_url_is_not_sent_with_the_upgrade(pynats: Runner) -> None:
    asked = b""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            nonlocal asked
            with server.accept()[0] as client:
                while b"\r\n\r\n" not in asked:
                    asked += client.recv(65536)
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        run = pynats("rtt", server=f"ws://u:s3cr3t-p@127.0.0.1:{server.getsockname()[1]}")
        answering.join(30)
    assert run.status == 5
    assert b"upgrade: websocket" in asked.lower()
    assert b"authorization" not in asked.lower()
