"""A login in a server URL: which credentials it keeps away, and to which server it goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import Runner
from tests.servers import Server, free_port

USERS = "authorization {{ users: [{{user: {0}, password: s3cr3t-{0}}}] }}"
PROD = {"user": "prod", "password": "s3cr3t-prod"}


@pytest.fixture
def select(config_home: Path) -> Callable[..., None]:
    """`select(url=..., user=...)` makes a context, which is selected."""

    def write(**keys: str) -> None:
        folder = config_home / "nats"
        (folder / "context").mkdir(parents=True)
        (folder / "context" / "prod.json").write_text(json.dumps(keys))
        (folder / "context.txt").write_text("prod")

    return write


@pytest.fixture
def bobs(server_factory: Callable[..., Server]) -> str:
    """The URL of a server that knows only bob, with his login."""
    return server_factory(USERS.format("bob")).url.replace("//", "//bob:s3cr3t-bob@")


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"NATS_USER": "x", "NATS_PASSWORD": "s3cr3t-x"},
        {"NATS_TOKEN": "s3cr3t-x"},
        {"NATS_CREDS": "no.creds"},
        {"NATS_URL": "nats://x:s3cr3t-x@127.0.0.1:1"},
    ],
    ids=lambda env: " ".join(env) or "context",
)
def test_a_login_in_a_given_url_keeps_away_what_the_environment_and_the_context_have(
    env: dict[str, str], bobs: str, select: Callable[..., None], pynats: Runner
) -> None:
    select(url="nats://127.0.0.1:1", **PROD)
    run = pynats("request", "nobody", "x", "-s", bobs, env=env)
    assert run.status == 3, run.stderr


def test_a_login_in_nats_url_keeps_away_what_the_context_has(
    bobs: str, select: Callable[..., None], pynats: Runner
) -> None:
    select(url="nats://127.0.0.1:1", **PROD)
    assert pynats("request", "nobody", "x", env={"NATS_URL": bobs}).status == 3
    info = pynats("context", "info", env={"NATS_URL": bobs})
    assert info.text.count("overridden by NATS_URL") == 3, info.text
    assert pynats("request", "nobody", "x", env={"NATS_URL": bobs, "NATS_TOKEN": "s3cr3t-x"}).status == 6


def test_credentials_beside_a_login_in_a_url_decide(
    server_factory: Callable[..., Server], select: Callable[..., None], pynats: Runner
) -> None:
    server = server_factory(USERS.format("prod"))
    url = server.url.replace("//", "//bob:s3cr3t-bob@")
    given = ["--user", "prod", "--password", "s3cr3t-prod"]
    assert pynats("request", "nobody", "x", *given, "-s", url).status == 3
    assert pynats("request", "nobody", "x", *given, env={"NATS_URL": url}).status == 3
    select(url=url, **PROD)
    assert pynats("request", "nobody", "x").status == 3
    assert pynats("request", "nobody", "x", "-s", server.url).status == 3


def test_a_list_with_a_login_sends_the_credentials_of_the_context_to_none_of_its_servers(
    server_factory: Callable[..., Server], select: Callable[..., None], pynats: Runner
) -> None:
    server = server_factory(USERS.format("prod"))
    select(url=server.url, **PROD)
    urls = f"nats://bob:s3cr3t-bob@127.0.0.1:{free_port()},{server.url}"
    assert pynats("request", "nobody", "x", "-s", urls).status == 6


@pytest.mark.parametrize("first", ["amy:s3cr3t-amy@127.0.0.1:{}", "127.0.0.1:{}", "nats://127.0.0.1:{}"])
def test_each_server_of_a_list_without_schemes_gets_its_own_login(
    first: str, server_factory: Callable[..., Server], pynats: Runner
) -> None:
    amys, bobs = (server_factory(USERS.format(name)) for name in ("amy", "bob"))
    urls = f"{first.format(amys.port)},bob:s3cr3t-bob@127.0.0.1:{bobs.port}"
    run = pynats("request", "nobody", "x", "-s", urls, "--verbose")
    assert run.status == 3, run.stderr
    assert f":{amys.port if 'amy' in first else bobs.port}" in run.stderr.splitlines()[0]
    assert pynats("context", "add", "two", "-s", urls).status == 0
    info = pynats("context", "info", "two")
    assert f"127.0.0.1:{amys.port}," in info.text
    assert f"@127.0.0.1:{bobs.port}" in info.text


@pytest.mark.parametrize("odd", "/?#")
def test_an_unescaped_password_is_refused_before_any_of_it_is_looked_up_or_shown(
    odd: str, pynats: Runner
) -> None:
    server, proxy = (f"{scheme}://bob:4711{odd}s3cr3t@127.0.0.1:4222" for scheme in ("nats", "socks5"))
    for arguments in (
        ["request", "x", "y", "-s", server],
        ["request", "x", "y", "-s", f"nats://127.0.0.1:1,{server},bob:1@127.0.0.1:1"],
        ["request", "x", "y", "--socks-proxy", proxy],
        ["context", "add", "a", "-s", server],
    ):
        run = pynats(*arguments)
        assert (run.status, run.stdout) == (2, b""), run.stderr
        assert f"an unescaped {odd!r} in the login" in run.stderr
        assert "%2F" in run.stderr
        assert "bob" not in run.stderr
        assert "4711" not in run.stderr
