"""SOCKS proxies that cannot be reached at all their addresses, or say nothing."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlparse

import pytest

from natscli.wire import transport
from natscli.wire.dial import Address
from tests.odd_servers import odd_server, silent
from tests.program import Runner
from tests.servers import Server, free_port
from tests.socks import socks_proxy
from tests.wire.test_dial import hole


def connect_through(url: str, server: Server) -> None:
    async def go() -> None:
        made = transport.Transport(lambda: None, url)
        await made.connect(urlparse(server.url), 0, 10)
        assert (await made.readline()).startswith(b"INFO {")
        made.close()

    asyncio.run(go())


def test_an_address_that_drops_packets_does_not_keep_the_proxy_from_being_reached(
    monkeypatch: pytest.MonkeyPatch, nats_server: Server
) -> None:
    with hole() as bad, socks_proxy() as proxy:
        port = int(proxy.url.rpartition(":")[2])

        async def both(host: str, port: int) -> list[Address]:
            assert host == "two.example"
            return [bad, (socket.AF_INET, ("127.0.0.1", port))]

        monkeypatch.setattr(transport, "addresses_of", both)
        connect_through(f"socks5://u:p%40@two.example:{port}", nats_server)
        assert proxy.targets == [("127.0.0.1", nats_server.port)]


def test_a_proxy_that_none_of_its_addresses_leads_to_is_named(
    monkeypatch: pytest.MonkeyPatch, nats_server: Server
) -> None:
    async def both(host: str, port: int) -> list[Address]:
        return [(socket.AF_INET, ("127.0.0.1", port))] * 2

    monkeypatch.setattr(transport, "addresses_of", both)
    port = free_port()
    with pytest.raises(transport.ProxyError, match=f"nothing listens at two.example:{port}"):
        connect_through(f"socks5://two.example:{port}", nats_server)


@pytest.mark.parametrize("command", [("request", "nobody", "x"), ("rtt",), ("reply", "a", "x")], ids=" ".join)
def test_a_proxy_that_says_nothing_is_no_silent_server(
    command: tuple[str, ...], pynats: Runner, nats_server: Server
) -> None:
    with odd_server(silent) as proxy:
        place = proxy.url.partition("//")[2]
        run = pynats(*command, "--socks-proxy", f"socks5://{place}", "--timeout", "300ms", server=nats_server)
    assert run.status == 5
    assert run.errors == [
        f"pynats: error: no connection through the SOCKS proxy: no answer within 300ms ({nats_server.url})"
    ]


@pytest.mark.parametrize(
    ("proxy", "problem"),
    [
        (
            "socks5://a..b:1080",
            "'a..b' in the SOCKS proxy cannot be a host: a name has something between its dots",
        ),
        (
            f"socks4://{'a' * 70}.example:1080",
            "cannot be a host: a name has 253 characters at most, 63 between dots",
        ),
        ("http://a b:1080", "'a b' in the SOCKS proxy cannot be a host: no name has ' '"),
        ("socks5h://u:s3cr3t-p@a..b:1080", "what is in the SOCKS proxy cannot be a host"),
    ],
)
def test_a_proxy_that_cannot_be_is_bad_input(
    proxy: str, problem: str, pynats: Runner, nats_server: Server
) -> None:
    run = pynats("request", "nobody", "x", "--socks-proxy", proxy, server=nats_server)
    assert (run.status, len(run.errors)) == (2, 1)
    assert problem in run.errors[0]
