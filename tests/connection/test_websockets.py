"""WebSocket URLs: TLS that is asked for, and logins in the URL."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

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
