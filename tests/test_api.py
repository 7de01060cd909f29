"""The Python API: the same contexts in scripts and notebooks."""

from __future__ import annotations

import asyncio
import doctest
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import natscli
from natscli import api
from natscli.contexts.format import Context
from natscli.contexts.store import ContextStore
from natscli.errors import ConnectionFailedError, InputError
from tests.servers import Server, free_port


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ContextStore:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("NATS_URL", "NATS_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return ContextStore(str(tmp_path / "nats"))


def test_connect_gives_a_connected_client_for_a_context(store: ContextStore, nats_server: Server) -> None:
    store.save("local", Context(url=nats_server.url))

    async def go(name: str | None) -> bytes:
        async with await natscli.connect(name) as nc:

            async def answer(message: object) -> None:
                await message.respond(b"OK")  # type: ignore[attr-defined]

            await nc.subscribe("api.help", cb=answer)
            reply = await nc.request("api.help", b"help", timeout=5)
            return bytes(reply.data)

    assert asyncio.run(go("local")) == b"OK"
    store.select("local")
    assert asyncio.run(go(None)) == b"OK"


def test_connecting_needs_no_await_to_be_entered(store: ContextStore, nats_server: Server) -> None:
    async def go() -> tuple[bool, bool]:
        async with natscli.connect(server=nats_server.url) as nc:
            connected = nc.is_connected
        return connected, nc.is_closed

    assert asyncio.run(go()) == (True, True)


def test_connecting_can_be_run_by_itself_as_a_task_or_within_a_timeout(
    store: ContextStore, nats_server: Server
) -> None:
    async def go() -> list[bool]:
        clients = [
            await natscli.connect(server=nats_server.url),
            await asyncio.create_task(natscli.connect(server=nats_server.url)),
            await asyncio.wait_for(natscli.connect(server=nats_server.url), 10),
        ]
        connected = [client.is_connected for client in clients]
        for client in clients:
            await client.close()
        return connected

    assert asyncio.run(go()) == [True, True, True]


def test_an_error_is_raised_out_of_the_block_that_is_closed(store: ContextStore, nats_server: Server) -> None:
    async def go() -> None:
        async with natscli.connect(server=nats_server.url) as nc:
            clients.append(nc)
            raise KeyError("mine")

    clients: list[Any] = []
    with pytest.raises(KeyError, match="mine"):
        asyncio.run(go())
    assert clients[0].is_closed


def test_the_public_names_are_listed_and_importable() -> None:
    assert {"connect", "load_context", "PynatsError", "InputError", "__version__"} <= set(dir(natscli))
    assert set(dir(natscli)) == set(natscli.__all__)
    for name in natscli.__all__:
        assert getattr(natscli, name)
    assert natscli.ConnectionFailedError is ConnectionFailedError
    with pytest.raises(AttributeError, match="nope"):
        _ = natscli.nope


def test_an_error_names_the_server(store: ContextStore) -> None:
    url = f"nats://127.0.0.1:{free_port()}"
    with pytest.raises(natscli.ConnectionFailedError) as caught:
        asyncio.run(natscli.connect(server=url.replace("//", "//u:s3cr3t@")))
    assert url in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_settings_show_what_is_set_and_no_secret(store: ContextStore) -> None:
    store.save(
        "ngs", Context(url="nats://u:s3cr3t@h", user="joe", password="s3cr3t", creds="", inbox_prefix="_I")
    )
    shown = repr(natscli.load_context("ngs", timeout=2))
    assert "s3cr3t" not in shown
    assert "user='joe' (context 'ngs')" in shown
    assert "password='********' (context 'ngs')" in shown
    assert "server='nats://********@h' (context 'ngs')" in shown
    assert "timeout=2 (--timeout)" in shown
    assert "creds" not in shown
    assert repr(natscli.load_context("ngs", seed="env://SEED", jwt="x.y", no_context=True)).count("x.y") == 0


def test_load_context_gives_settings_with_their_sources(store: ContextStore) -> None:
    store.save("ngs", Context(url="tls://ngs.example", creds="~/ngs.creds"))
    settings = natscli.load_context("ngs", timeout=2.0)
    assert settings.servers == ["tls://ngs.example:4222"]
    assert (settings.creds.value, settings.creds.source) == ("~/ngs.creds", "context 'ngs'")
    assert settings.timeout.value == 2.0


def test_an_unknown_context_and_a_missing_server_raise_errors_of_their_own(store: ContextStore) -> None:
    with pytest.raises(InputError):
        natscli.load_context("nobody")
    with pytest.raises(ConnectionFailedError):
        asyncio.run(natscli.connect(server=f"127.0.0.1:{free_port()}"))


@pytest.mark.parametrize(
    "wrong",
    [{"servers": "localhost"}, {"tls_first": True}, {"server": ["a", "b"]}, {"tlsfirst": "yes"}],
    ids=str,
)
def test_a_setting_that_would_not_be_used_is_an_error(store: ContextStore, wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(TypeError, match=name):
        natscli.load_context(**wrong)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_without_sense_is_an_error(store: ContextStore, timeout: float) -> None:
    with pytest.raises(InputError, match="timeout"):
        natscli.load_context(timeout=timeout)


def test_the_selected_context_can_be_left_out(store: ContextStore) -> None:
    store.save("ngs", Context(url="tls://ngs.example", user="u", password="p"))
    store.select("ngs")
    assert natscli.load_context().user.value == "u"
    settings = natscli.load_context(server="localhost", no_context=True)
    assert (settings.servers, settings.user.value) == (["nats://localhost:4222"], "")


def test_what_the_server_refuses_later_is_logged(
    store: ContextStore, server_factory: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    permissions = '{publish: ">", subscribe: {deny: "denied.>"}}'
    server = server_factory(
        f"authorization {{ users: [{{user: a, password: p, permissions: {permissions}}}] }}"
    )

    async def go() -> None:
        async with await natscli.connect(server=server.url, user="a", password="p") as nc:
            await nc.subscribe("denied.Here")
            await nc.flush()

    asyncio.run(go())
    assert [(r.name, '"denied.Here"' in r.message) for r in caplog.records] == [("natscli", True)]


def test_connecting_can_be_cancelled(store: ContextStore) -> None:
    async def go(silent: socket.socket) -> bytes:
        connecting = asyncio.ensure_future(natscli.connect(server=f"127.0.0.1:{silent.getsockname()[1]}"))
        ours, _ = await asyncio.to_thread(silent.accept)
        with ours:
            connecting.cancel()
            await asyncio.wait([connecting])
            ours.settimeout(10)
            return await asyncio.to_thread(ours.recv, 1)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert asyncio.run(go(silent)) == b""


def test_the_example_in_the_docstring_runs(
    store: ContextStore, nats_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    store.save("local", Context(url=nats_server.url))

    async def serve_and(main: object) -> None:
        async with await natscli.connect("local") as nc:

            async def answer(message: object) -> None:
                await message.respond(b"OK, I CAN HELP!!!")  # type: ignore[attr-defined]

            await nc.subscribe("help.please", cb=answer)
            await nc.flush()
            await main()  # type: ignore[operator]

    (example,) = (test for test in doctest.DocTestFinder().find(api.connect) if test.examples)
    *setup, call = example.examples
    names: dict[str, object] = {}
    for part in setup:
        exec(part.source, names)
    asyncio.run(serve_and(names["main"]))
    assert capsys.readouterr().out == call.want


def test_importing_the_package_imports_no_client() -> None:
    import subprocess
    import sys

    code = "import natscli, sys; assert natscli.__version__; print('nats' in sys.modules, 'asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
