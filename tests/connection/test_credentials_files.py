"""Credentials that are laid out oddly, damaged, late or early: the same verdict in a check and in connecting."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.accounts import Key, Operator, make_operator
from tests.contexts.test_creds import BAD, LAYOUTS, OPERATOR, USER, other
from tests.program import Runner
from tests.servers import Server, start_server


@pytest.fixture(scope="module")
def trusting() -> Iterator[Server]:
    """A server that trusts the operator of tests/contexts/test_creds."""
    with start_server(OPERATOR.server_config) as server:
        yield server


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_logs_in(layout: str, trusting: Server, pynats: Runner, tmp_path: Path) -> None:
    contents = LAYOUTS[layout]
    (tmp_path / "a.creds").write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    creds = str(tmp_path / "a.creds")
    assert pynats("context", "add", "a", "-s", trusting.url, "--creds", creds).status == 0
    assert pynats("context", "validate", "a", "--connect").status == 0
    assert pynats("request", "nobody", "x", "--context", "a").status == 3


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_used_is_refused_in_a_check_as_in_connecting(
    what: str, trusting: Server, pynats: Runner, tmp_path: Path
) -> None:
    contents, reason = BAD[what]
    creds = tmp_path / "a.creds"
    creds.write_text(contents)
    added = pynats("context", "add", "a", "-s", trusting.url, "--creds", str(creds))
    assert f"creds: {reason} ({creds})" in added.stderr
    checked = pynats("context", "validate", "a")
    assert checked.status == 2
    assert f"creds: {reason} ({creds})" in checked.text
    for how in (("--context", "a"), ("--creds", str(creds), "-s", trusting.url)):
        asked = pynats("request", "nobody", "x", *how)
        assert asked.status == 2
        assert asked.errors == [f"pynats: error: {reason} ({creds})"]


def test_a_seed_of_another_user_in_a_context_is_said(trusting: Server, pynats: Runner) -> None:
    pair = "--jwt", USER.jwt, "--seed", Key.make_user().seed
    pynats("context", "add", "pair", "-s", trusting.url, *pair)
    checked = pynats("context", "validate", "pair")
    assert (checked.status, "user_seed: the nkey seed is not that of the user JWT" in checked.text) == (
        2,
        True,
    )
    assert pynats("request", "nobody", "x", "--context", "pair").status == 2


#: A kind of credentials, its options with a good value in them, and a value that is damaged.
SOURCES = ["the option", "the variable", "file://", "env://", "a context"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("good", [True, False], ids=["good", "damaged"])
def test_a_jwt_and_a_seed_come_from_everywhere(
    source: str, good: bool, trusting: Server, pynats: Runner, tmp_path: Path
) -> None:
    jwt, seed = f" {USER.jwt}\n", f"\n  {USER.key.seed if good else other(USER.key.seed)} \n"
    (tmp_path / "jwt").write_text(jwt)
    (tmp_path / "seed").write_text(seed)
    env: dict[str, str] = {"JWT": jwt, "SEED": seed}
    options = ["--jwt", jwt, "--seed", seed]
    if source == "the variable":
        env, options = {"NATS_JWT": jwt, "NATS_SEED": seed}, []
    elif source == "file://":
        options = ["--jwt", f"file://{tmp_path}/jwt", "--seed", f"file://{tmp_path}/seed"]
    elif source == "env://":
        options = ["--jwt", "env://JWT", "--seed", "env://SEED"]
    elif source == "a context":
        pynats("context", "add", "both", *options)
        options = ["--context", "both"]
    run = pynats("request", "nobody", "x", *options, server=trusting, env=env)
    assert run.status == (3 if good else 2), run.stderr
    assert good or "the nkey seed is damaged" in run.errors[0]


def test_a_jwt_without_its_seed_is_refused_before_connecting(trusting: Server, pynats: Runner) -> None:
    reason = "a user JWT without its nkey seed"
    pynats("context", "add", "a", "--jwt", USER.jwt)
    checked = pynats("context", "validate", "a")
    assert (checked.status, reason in checked.text) == (2, True)
    for options, env, source in (
        (["--jwt", USER.jwt], {}, "--jwt"),
        ([], {"NATS_JWT": USER.jwt}, "NATS_JWT"),
        (["--context", "a"], {}, "context 'a'"),
    ):
        run = pynats("request", "nobody", "x", *options, "-s", "127.0.0.1:1", env=env)
        assert (run.status, run.errors[0]) == (2, f"pynats: error: {reason} ({source})")
        assert "--seed" in run.errors[1]
    account = OPERATOR.accounts["A"]
    for user in (account.make_user(bearer_token=True), account.make_user(issuer_account=account.key.public)):
        assert pynats("context", "add", "b", "--jwt", user.jwt).status == 0
        assert pynats("context", "validate", "b").status == 0
    bearer = account.make_user(bearer_token=True)
    assert pynats("request", "nobody", "x", "--jwt", bearer.jwt, server=trusting).status == 3


def test_a_seed_that_only_a_program_has_is_not_missing(pynats: Runner, tmp_path: Path) -> None:
    program = tmp_path / "op"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    pynats("context", "add", "a", "--jwt", USER.jwt, "--seed", "op://v/i/f", env=env)
    checked = pynats("context", "validate", "a", env=env)
    assert checked.status == 0, checked.text


def test_an_nkey_is_read_leniently(
    pynats: Runner, server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    server = server_factory(f"authorization {{ users: [ {{ nkey: {USER.key.public} }} ] }}")
    for number, text in enumerate(
        ("  {}  \r\n", "# mine\n\n\t{}\n", "\ufeff{}", USER.creds.replace("SU", "SU", 1))
    ):
        path = tmp_path / f"{number}.nk"
        path.write_text(text.format(USER.key.seed))
        assert pynats("request", "nobody", "x", "--nkey", str(path), server=server).status == 3
    (tmp_path / "bad.nk").write_text(other(USER.key.seed))
    run = pynats("request", "nobody", "x", "--nkey", "bad.nk", server=server, cwd=tmp_path)
    assert (run.status, run.errors) == (2, ["pynats: error: the nkey seed is damaged (bad.nk)"])


LATE = "the user JWT expired at 20"


def test_a_late_jwt_is_said_to_be_with_the_time(trusting: Server, pynats: Runner, tmp_path: Path) -> None:
    late = OPERATOR.accounts["A"].make_user(lifetime=-3600)
    creds = tmp_path / "late.creds"
    creds.write_text(late.creds)
    creds.chmod(0o600)
    pynats("context", "add", "late one", "-s", trusting.url, "--creds", str(creds))
    checked = pynats("context", "validate", "late one")
    assert checked.status == 6
    assert f"{LATE}" in checked.text
    assert "Z, 1h0m" in checked.text
    told = pynats("context", "info", "late one")
    assert told.status == 0
    assert f"context, file, {LATE}" in told.text
    asked = pynats("request", "nobody", "x", "--context", "late one")
    assert asked.status == 6
    assert f"the server refused the credentials: {LATE}" in asked.errors[0]
    assert asked.errors[1] == f"  hint: pynats context info {shlex.quote('late one')}"
    for options, source in (
        (["--creds", str(creds)], "--creds"),
        (["--jwt", late.jwt, "--seed", late.key.seed], "--jwt and --seed"),
    ):
        asked = pynats("request", "nobody", "x", *options, server=trusting)
        assert (asked.status, asked.errors[1]) == (6, f"  hint: get a new user JWT for {source}")
    connected = json.loads(pynats("context", "info", "late one", "--connect", "--json").text)["connection"]
    assert connected["status"] == 6
    assert LATE in connected["error"]


def test_a_jwt_that_is_not_valid_yet_needs_no_new_one(
    trusting: Server, pynats: Runner, tmp_path: Path
) -> None:
    creds = tmp_path / "early.creds"
    creds.write_text(OPERATOR.accounts["A"].make_user(begins=3600).creds)
    run = pynats("request", "nobody", "x", "--creds", str(creds), server=trusting)
    assert run.status == 6
    assert "the server refused the credentials: the user JWT is not valid before 20" in run.errors[0]
    assert run.errors[1] == "  hint: wait until then, or check the clock of this machine"


def test_info_says_until_when_a_jwt_is_valid(pynats: Runner, tmp_path: Path) -> None:
    user = OPERATOR.accounts["A"].make_user(lifetime=7200)
    creds = tmp_path / "a.creds"
    creds.write_text(user.creds)
    pynats("context", "add", "file", "--creds", str(creds))
    pynats("context", "add", "text", "--jwt", user.jwt, "--seed", user.key.seed)
    for name in ("file", "text"):
        assert ", expires at 20" in pynats("context", "info", name).text
        assert pynats("context", "validate", name).status == 0


@pytest.mark.parametrize(
    ("options", "variables", "hint"),
    [
        ([], {}, "give --user and --password, --token or --creds"),
        (["--user", "a", "--password", "s3cr3t-b"], {},
         "check --user and --password, and that this is the server for it"),
        (["--token", "s3cr3t-b"], {}, "check --token, and that this is the server for it"),
        ([], {"NATS_TOKEN": "s3cr3t-b"}, "check NATS_TOKEN, and that this is the server for it"),
        (["--context", "empty"], {},
         "give --user and --password, --token or --creds; context 'empty' has no credentials"),
        (["--context", "wrong"], {}, "pynats context info wrong"),
        (["--context", "wrong", "--token", "s3cr3t-c"], {}, "check --token, and that this is the server for it"),
    ],
)  # fmt: skip
def test_a_hint_never_suggests_what_was_given(
    options: list[str],
    variables: dict[str, str],
    hint: str,
    pynats: Runner,
    server_factory: Callable[..., Server],
) -> None:
    server = server_factory('authorization { token: "s3cr3t-right" }')
    pynats("context", "add", "empty", "-s", server.url)
    pynats("context", "add", "wrong", "-s", server.url, "--token", "s3cr3t-no")
    run = pynats("request", "x", "y", *options, server=server, env=variables)
    assert (run.status, run.errors[1]) == (6, f"  hint: {hint}")


def test_a_login_in_the_url_is_what_was_given(pynats: Runner, server_factory: Callable[..., Server]) -> None:
    server = server_factory('authorization { user: a, password: "s3cr3t-right" }')
    run = pynats("request", "x", "y", "-s", server.url.replace("//", "//a:s3cr3t-no@"))
    assert (run.status, run.errors[1]) == (6, "  hint: check --server, and that this is the server for it")


def test_account_names_and_the_given_url_are_shown(
    pynats: Runner, server_factory: Callable[..., Server], tmp_path: Path
) -> None:
    operator: Operator = make_operator("ORDERS", "SYS")
    # Without a system account nobody answers who one is.
    server = server_factory(
        f"{operator.server_config}system_account: {operator.accounts['SYS'].key.public}\n"
    )
    (tmp_path / "a.creds").write_text(operator.accounts["ORDERS"].make_user().creds)
    given = f"nats://localhost:{server.port}"
    pynats("context", "add", "a", "-s", given, "--creds", str(tmp_path / "a.creds"))
    row = pynats("context", "validate", "--connect").lines[1]
    assert f" {given} " in row
    assert " ORDERS " in row
    connection = json.loads(pynats("context", "info", "a", "--connect", "--json").text)["connection"]
    assert connection["url"] == given
    assert connection["account_name"] == "ORDERS"
    assert connection["account"] == operator.accounts["ORDERS"].key.public
    assert f"ORDERS ({connection['account']})" in pynats("context", "info", "a", "--connect").text
