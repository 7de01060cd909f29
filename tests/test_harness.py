"""The tests' own tools do what the tests rely on."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest

from tests.accounts import Key, make_operator
from tests.certificates import Certificates
from tests.leftovers import VARIABLE, files_in, processes_of, search
from tests.program import Program, Runner
from tests.servers import Server, process_exists, start_server


def test_a_server_is_ready_quickly_and_gone_at_the_end() -> None:
    start = time.perf_counter()
    with start_server(monitor=True) as server:
        assert time.perf_counter() - start < 5
        assert "Server is ready" in server.log()
        assert server.monitor_url.startswith("http://127.0.0.1:")
        pid = server.pid
    assert not process_exists(pid)


def test_a_server_restarts_on_its_port(server_factory: Callable[..., Server]) -> None:
    server = server_factory()
    port = server.port
    server.restart()
    assert server.port == port


def test_a_server_that_cannot_start_says_why(server_factory: Callable[..., Server]) -> None:
    with pytest.raises(RuntimeError, match="no_such_setting"):
        server_factory("no_such_setting: 1")


def test_runs_see_nothing_of_the_outer_environment(
    pynats: Runner, config_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [name for name in pynats.environ if name.startswith("NATS_")]
    assert pynats.environ["XDG_CONFIG_HOME"] == str(config_home)
    run = pynats("--version")
    assert (run.status, run.lines[0].split()[0], run.stderr) == (0, "pynats", "")


def test_a_spawned_program_is_waited_for_and_stopped(spawn: Callable[..., Program]) -> None:
    with pytest.raises(AssertionError, match="never said"):
        spawn("--version", ready="never said")


def test_planted_secrets_and_tracebacks_are_found(tmp_path: Path) -> None:
    log = b"\n=== first\nfine\n=== second\nhere s3cr3t-x\n\xff\n=== third\n\nTraceback (most recent call last):\n"
    (tmp_path / "1.log").write_bytes(
        log + b"\n=== fourth\npynats: trace: Traceback (most recent call last):\n"
    )
    assert list(search(tmp_path)) == [
        "a planted secret was shown: second",
        "a traceback was shown: third\n  Traceback (most recent call last):",
    ]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_processes_and_files_that_are_left_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.leftovers._PATIENCE", 0.2)
    (tmp_path / "left").touch()
    with subprocess.Popen(["sleep", "60"], env={**os.environ, VARIABLE: str(tmp_path)}) as process:
        found = processes_of(tmp_path)
        process.kill()
    assert found == [f"a process was left: {process.pid} sleep 60 "]
    assert files_in(tmp_path) == ["a temporary file was left: left"]
    assert processes_of(tmp_path) == []


def test_a_zombie_does_not_count_as_running() -> None:
    process = subprocess.Popen(["sleep", "60"])
    assert process_exists(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not process_exists(process.pid)


async def connects(**options: Any) -> bool:
    """Whether nats-py gets a round trip through with these options."""
    client = await nats.connect(max_reconnect_attempts=0, allow_reconnect=False, error_cb=_ignore, **options)
    await client.flush()
    await client.close()
    return True


async def _ignore(error: Exception) -> None:
    pass


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("verify", [False, True])
def test_the_certificates_connect(
    certificates: Certificates, server_factory: Callable[..., Server], verify: bool, first: bool
) -> None:
    server = server_factory(certificates.server_config(verify=verify, first=first))
    tls = ssl.create_default_context(cafile=str(certificates.ca))
    options = {"servers": server.url, "tls": tls, "tls_handshake_first": first}
    if verify:
        with pytest.raises((nats.errors.Error, OSError)):
            asyncio.run(connects(**options))
        tls.load_cert_chain(certificates.client_cert, certificates.client_key)
    assert asyncio.run(connects(**options))
    stranger = ssl.create_default_context(cafile=str(certificates.other_ca))
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(connects(**(options | {"tls": stranger})))


def test_the_users_of_an_operator_connect_with_creds(
    server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    operator = make_operator("APP", "OTHER")
    server = server_factory(operator.server_config)
    creds = tmp_path / "user.creds"
    for account in operator.accounts.values():
        creds.write_text(account.make_user().creds)
        assert asyncio.run(connects(servers=server.url, user_credentials=str(creds)))
    creds.write_text(operator.accounts["APP"].make_user(lifetime=-60).creds)
    with pytest.raises(nats.errors.Error, match=r"(?i)authorization|authentication|expired"):
        asyncio.run(connects(servers=server.url, user_credentials=str(creds)))


def test_an_nkey_user_connects(server_factory: Callable[..., Server], tmp_path: Path) -> None:
    key = Key.make_user()
    server = server_factory(f"authorization {{ users: [{{ nkey: {key.public} }}] }}")
    seed = tmp_path / "seed.nk"
    seed.write_text(key.seed)
    assert asyncio.run(connects(servers=server.url, nkeys_seed=str(seed)))
