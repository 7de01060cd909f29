"""Every kind of credentials against a real server set up for it: right ones serve a request, wrong ones are refused."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.accounts import Key, make_operator
from tests.certificates import Certificates
from tests.program import Program, Runner
from tests.servers import Server, free_port
from tests.socks import socks_proxy


@dataclass(frozen=True)
class Case:
    """A server, the flags that are right and those that are wrong, and the status of the wrong ones."""

    config: str
    right: list[str]
    wrong: list[str]
    wrong_status: int = 6
    scheme: str = "nats"
    port: int = 0
    env: dict[str, str] = field(default_factory=dict)


Make = Callable[[Path, Certificates], Case]


def user_password(folder: Path, certificates: Certificates) -> Case:
    right, wrong = ["--user", "bob", "--password"], ["--user", "bob", "--password", "s3cr3t-no"]
    return Case('authorization { user: bob, password: "s3cr3t-pw" }', [*right, "s3cr3t-pw"], wrong)


def password_from_the_environment(folder: Path, certificates: Certificates) -> Case:
    reference = ["--user", "bob", "--password", "env://PW"]
    wrong = ["--user", "bob", "--password", "PW"]
    return Case(
        'authorization { user: bob, password: "s3cr3t-pw" }', reference, wrong, env={"PW": "s3cr3t-pw"}
    )


def token(folder: Path, certificates: Certificates) -> Case:
    return Case('authorization { token: "s3cr3t-tk" }', ["--token", "s3cr3t-tk"], ["--token", "s3cr3t-no"])


def user_alone_is_a_token(folder: Path, certificates: Certificates) -> Case:
    return Case('authorization { token: "s3cr3t-tk" }', ["--user", "s3cr3t-tk"], ["--user", "s3cr3t-no"])


def creds_file(folder: Path, certificates: Certificates) -> Case:
    operator, other = make_operator("A"), make_operator("A")
    (folder / "right.creds").write_text(operator.accounts["A"].make_user().creds)
    (folder / "wrong.creds").write_text(other.accounts["A"].make_user().creds)
    return Case(
        operator.server_config, ["--creds", str(folder / "right.creds")], ["--creds", "file://wrong.creds"]
    )


def expired_creds_file(folder: Path, certificates: Certificates) -> Case:
    operator = make_operator("A")
    (folder / "right.creds").write_text(operator.accounts["A"].make_user().creds)
    (folder / "late.creds").write_text(operator.accounts["A"].make_user(lifetime=-10).creds)
    return Case(operator.server_config, ["--creds", "$PWD/right.creds"], ["--creds", "late.creds"],
                env={"PWD": str(folder)})  # fmt: skip


def embedded_creds(folder: Path, certificates: Certificates) -> Case:
    operator, other = make_operator("A"), make_operator("A")

    def data(creds: str) -> str:
        return "data:;base64," + base64.b64encode(creds.encode()).decode()

    right, wrong = (o.accounts["A"].make_user().creds for o in (operator, other))
    return Case(operator.server_config, ["--creds", data(right)], ["--creds", data(wrong)])


def jwt_and_seed(folder: Path, certificates: Certificates) -> Case:
    operator = make_operator("A")
    user, stranger = operator.accounts["A"].make_user(), Key.make_user()
    (folder / "seed").write_text(user.key.seed + "\n")
    right = ["--jwt", user.jwt, "--seed", "file://seed"]
    # What no server would take is known before connecting.
    return Case(operator.server_config, right, ["--jwt", user.jwt, "--seed", stranger.seed], wrong_status=2)


def nkey_seed_file(folder: Path, certificates: Certificates) -> Case:
    known, stranger = Key.make_user(), Key.make_user()
    (folder / "right.nk").write_text(known.seed + "\n")
    (folder / "wrong.nk").write_text(stranger.seed)
    config = f"authorization {{ users: [ {{ nkey: {known.public} }} ] }}"
    return Case(config, ["--nkey", "right.nk"], ["--nkey", "wrong.nk"])


def private_authority(folder: Path, certificates: Certificates) -> Case:
    right, wrong = ["--tlsca", str(certificates.ca)], ["--tlsca", str(certificates.other_ca)]
    return Case(certificates.server_config(), right, wrong, 5)


def mutual_tls(folder: Path, certificates: Certificates) -> Case:
    ca = ["--tlsca", str(certificates.ca)]
    pair = ["--tlscert", str(certificates.client_cert), "--tlskey", str(certificates.client_key)]
    return Case(certificates.server_config(verify=True), ca + pair, ca)


def tls_first(folder: Path, certificates: Certificates) -> Case:
    flags = ["--tlsca", str(certificates.ca), "--tlsfirst"]
    wrong = ["--tlsca", str(certificates.other_ca), "--tlsfirst"]
    return Case(certificates.server_config(first=True), flags, wrong, 5)


def websocket(folder: Path, certificates: Certificates) -> Case:
    port = free_port()
    config = (
        f'websocket {{ port: {port}, host: 127.0.0.1, no_tls: true }}\nauthorization {{ token: "s3cr3t-tk" }}'
    )
    return Case(config, ["--token", "s3cr3t-tk"], ["--token", "s3cr3t-no"], scheme="ws", port=port)


def secure_websocket(folder: Path, certificates: Certificates) -> Case:
    port = free_port()
    config = f"websocket {{ port: {port}, host: 127.0.0.1\n{certificates.server_config()} }}"
    right, wrong = ["--tlsca", str(certificates.ca)], ["--tlsca", str(certificates.other_ca)]
    return Case(config, right, wrong, 5, scheme="wss", port=port)


def inbox_prefix(folder: Path, certificates: Certificates) -> Case:
    allow = '{publish: ">", subscribe: ["_PRIV.>", "matrix"]}'
    config = f'authorization {{ users: [{{user: a, password: "s3cr3t-pw", permissions: {allow}}}] }}'
    flags = ["--user", "a", "--password", "s3cr3t-pw"]
    return Case(config, [*flags, "--inbox-prefix", "_PRIV"], [*flags, "--inbox-prefix", "_OTHER"])


KINDS: list[Make] = [
    user_password, password_from_the_environment, token, user_alone_is_a_token, creds_file, expired_creds_file,
    embedded_creds, jwt_and_seed, nkey_seed_file, private_authority, mutual_tls, tls_first, websocket,
    secure_websocket, inbox_prefix,
]  # fmt: skip


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_right_credentials_serve_a_request_and_wrong_ones_are_refused(
    make: Make,
    tmp_path: Path,
    certificates: Certificates,
    server_factory: Callable[..., Server],
    spawn: Callable[..., Program],
    pynats: Runner,
) -> None:
    case = make(tmp_path, certificates)
    server = server_factory(case.config)
    url = f"{case.scheme}://127.0.0.1:{case.port or server.port}"
    spawn("reply", "matrix", "served", *case.right, server=url, env=case.env, cwd=tmp_path)
    right = pynats("request", "matrix", "x", *case.right, server=url, env=case.env, cwd=tmp_path)
    assert (right.status, right.stdout) == (0, b"served\n"), right.stderr
    wrong = pynats("request", "matrix", "x", *case.wrong, server=url, env=case.env, cwd=tmp_path, within=2)
    assert wrong.status == case.wrong_status, wrong.stderr
    assert len([line for line in wrong.errors if "error" in line]) == 1, wrong.stderr
    assert "Traceback" not in wrong.stderr


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_several_processes_get_the_same_credentials(
    make: Make,
    tmp_path: Path,
    certificates: Certificates,
    server_factory: Callable[..., Server],
    spawn: Callable[..., Program],
) -> None:
    case = make(tmp_path, certificates)
    server = server_factory(case.config)
    url = f"{case.scheme}://127.0.0.1:{case.port or server.port}"
    program = spawn(
        "reply", "matrix", "served", "--processes", "2", *case.right, server=url, env=case.env, cwd=tmp_path,
        ready="processes answer",
    )  # fmt: skip
    assert program.stop() == 0


@pytest.mark.parametrize("make", [user_password, creds_file, mutual_tls], ids=lambda make: make.__name__)
def test_the_same_credentials_work_from_a_context(
    make: Make,
    tmp_path: Path,
    certificates: Certificates,
    server_factory: Callable[..., Server],
    pynats: Runner,
) -> None:
    case = make(tmp_path, certificates)
    server = server_factory(case.config)
    for name, flags in (("right", case.right), ("wrong", case.wrong)):
        added = pynats("context", "add", name, "--server", server.url, *flags, cwd=tmp_path)
        assert added.status == 0, added.stderr
    assert pynats("request", "nobody", "x", "--context", "right", cwd=tmp_path).status == 3
    assert pynats("request", "nobody", "x", "--context", "wrong", cwd=tmp_path).status == case.wrong_status


@pytest.mark.alone
def test_a_socks_proxy_is_connected_through(nats_server: Server, pynats: Runner) -> None:
    with socks_proxy() as proxy:
        run = pynats("request", "nobody", "x", "--socks-proxy", proxy.url, server=nats_server)
        assert run.status == 3, run.stderr
        assert proxy.targets == [("127.0.0.1", nats_server.port)]
        url = proxy.url.replace("socks5:", "socks5h:")
        assert pynats("request", "nobody", "x", "--socks-proxy", url, server=nats_server).status == 3
        away = pynats("request", "nobody", "x", "--socks-proxy", proxy.url, server=f"127.0.0.1:{free_port()}")
        assert away.status == 5
        assert "through the SOCKS proxy: it reports: connection refused" in away.stderr
    gone = pynats("request", "nobody", "x", "--socks-proxy", proxy.url, server=nats_server, within=2)
    assert gone.status == 5
    assert f"through the SOCKS proxy: nothing listens at {proxy.url.rpartition('/')[2]} (" in gone.stderr
    for wrong in ("nonsense", "socks5://127.0.0.1", "socks5://127.0.0.1:99999"):
        assert pynats("request", "nobody", "x", "--socks-proxy", wrong, server=nats_server).status == 2


@pytest.mark.parametrize("command", ["request", "reply"])
def test_ctrl_c_ends_the_wait_for_a_credentials_program(
    tmp_path: Path, spawn: Callable[..., Program], command: str
) -> None:
    program = tmp_path / "op"
    program.write_text(f"#!/bin/sh\ntrap '' INT\ntouch {tmp_path}/asked\nexec sleep 20\n")
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    waiting = spawn(command, "x", "y", "--user", "u", "--password", "op://v/i/f", env=env, ready="")
    waiting.wait_until((tmp_path / "asked").exists, "op")
    start = time.monotonic()
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait() == 130
    assert time.monotonic() - start < 10


def test_an_nsc_profile_gives_credentials_and_servers(
    tmp_path: Path,
    server_factory: Callable[..., Server],
    pynats: Runner,
    spawn: Callable[..., Program],
    config_home: Path,
) -> None:
    operator = make_operator("A")
    server = server_factory(operator.server_config)
    (tmp_path / "user.creds").write_text(operator.accounts["A"].make_user().creds)
    profile = {"user_creds": str(tmp_path / "user.creds"), "operator": {"service": [server.url]}}
    (tmp_path / "bin").mkdir()
    nsc = tmp_path / "bin" / "nsc"
    nsc.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(profile)}\nEND\n")
    nsc.chmod(0o755)
    contexts = config_home / "nats" / "context"
    contexts.mkdir(parents=True)
    (contexts / "op.json").write_text('{"nsc": "nsc://o/a/u"}')
    path = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    assert pynats("request", "nobody", "x", "--context", "op", env=path).status == 3
    several = ["reply", "x", "OK", "--processes", "2", "--context", "op"]
    assert spawn(*several, env=path, ready="processes answer").stop() == 0
    run = pynats("request", "nobody", "x", "--context", "op", env={"PATH": "/nowhere"})
    assert run.status == 2
    assert "nsc" in run.stderr
    assert pynats("request", "nobody", "x", "--creds", "nsc://o/a/u", env=path, server=server).status == 3
