"""Credentials are read again: files, variables, programs; and what can be read only once is kept."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from natscli.connection.credentials import with_references, with_secrets
from natscli.connection.options import Plan, prepare
from natscli.environment import Environment
from natscli.errors import InputError
from natscli.settings import Settings, Value
from tests.accounts import User, make_operator
from tests.certificates import Certificates

OLD, NEW = (make_operator("A").accounts["A"].make_user() for _ in range(2))
OLD_PASSWORD, NEW_PASSWORD = "s3cr3t-old", "s3cr3t-new"


def fresh(ready: Plan) -> dict[str, Any]:
    assert ready.read_credentials is not None
    return asyncio.run(ready.read_credentials())  # type: ignore[arg-type]


def environment(**variables: str) -> Environment:
    made = Environment.current()
    made.environ = variables
    return made


#: The setting, what is written to the file or the variable, and what nats-py gets of it.
KINDS: dict[str, tuple[str, Callable[[User, str], str], str, Callable[[User, str], str]]] = {
    "creds": ("creds", lambda user, _: user.creds, "user_credentials", lambda user, _: user.jwt),
    "nkey": ("nkey", lambda user, _: user.key.seed, "nkeys_seed_str", lambda user, _: user.key.seed),
    "token": ("token", lambda _, password: password, "token", lambda _, password: password),
}


#: A token that looks like a path is a token, and `nsc` has only creds.
READ = [
    *(("creds", scheme) for scheme in ("path", "file", "env", "op", "nsc")),
    *(("nkey", scheme) for scheme in ("path", "file", "env", "op")),
    *(("token", scheme) for scheme in ("file", "env", "op")),
]


@pytest.mark.parametrize(("kind", "scheme"), READ)
def test_every_reference_is_read_again(kind: str, scheme: str, tmp_path: Path) -> None:
    setting, write, option, expected = KINDS[kind]
    file = tmp_path / "file"
    (tmp_path / "op").write_text(f"#!/bin/sh\ncat {file}\n")
    (tmp_path / "nsc").write_text(f'#!/bin/sh\necho \'{{"user_creds": "{file}"}}\'\n')
    for program in ("op", "nsc"):
        (tmp_path / program).chmod(0o755)
    file.write_text(write(OLD, OLD_PASSWORD))
    around = environment(PATH=f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin", X=write(OLD, OLD_PASSWORD))
    ref = {
        "path": str(file),
        "file": f"file://{file}",
        "env": "env://X",
        "op": "op://a/b/c",
        "nsc": "nsc://o/a/u",
    }
    given: dict[str, Any] = {setting: Value(ref[scheme], "--it")}
    ready = prepare(Settings(**given), around)
    assert expected(OLD, OLD_PASSWORD) in str(ready.options[option])
    file.write_text(write(NEW, NEW_PASSWORD))
    around.environ["X"] = write(NEW, NEW_PASSWORD)  # type: ignore[index]
    assert expected(NEW, NEW_PASSWORD) in str(fresh(ready)[option])
    assert expected(NEW, NEW_PASSWORD) not in around.redactor.redact(f"x {expected(NEW, NEW_PASSWORD)} y")


def test_what_cannot_be_read_again_leaves_what_was(tmp_path: Path) -> None:
    file = tmp_path / "a.creds"
    file.write_text(OLD.creds)
    ready = prepare(Settings(creds=Value(str(file), "--creds")), environment())
    file.write_text("half")
    with pytest.raises(InputError, match="not a credentials file"):
        fresh(ready)
    assert OLD.jwt in str(ready.credentials.options["user_credentials"])


def test_a_pipe_is_read_once(tmp_path: Path, certificates: Certificates) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_text, args=(OLD.creds,), daemon=True).start()
    ready = prepare(Settings(creds=Value(str(pipe), "--creds")), environment())
    assert OLD.jwt in str(ready.options["user_credentials"])
    assert ready.read_credentials is None


def test_what_is_given_itself_is_not_read_again() -> None:
    for settings in (
        Settings(), Settings(user=Value("u"), password=Value(OLD_PASSWORD)),
        Settings(jwt=Value(OLD.jwt), seed=Value(OLD.key.seed)),
    ):  # fmt: skip
        assert prepare(settings, environment()).read_credentials is None


def test_tls_files_are_read_again(tmp_path: Path, certificates: Certificates) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificates.ca.read_bytes())
    ready = prepare(Settings(tlsca=Value(str(ca), "--tlsca")), environment())
    before = ready.options["tls"].get_ca_certs()
    ca.write_bytes(certificates.other_ca.read_bytes())
    assert fresh(ready)["tls"].get_ca_certs() != before


def test_processes_get_the_secrets_and_later_ask_for_what_they_are_then(tmp_path: Path) -> None:
    file = tmp_path / "a.creds"
    file.write_text(OLD.creds)
    settings = Settings(creds=Value(str(file), "--creds"), token=Value("env://T", "--token"))
    around = environment(T=OLD_PASSWORD)
    resolved = with_secrets(settings, around.environ)
    assert resolved.token.value == OLD_PASSWORD
    assert resolved.creds.value.startswith("data:")
    ready = prepare(resolved, around)
    file.write_text(NEW.creds)
    around.environ["T"] = NEW_PASSWORD  # type: ignore[index]
    options = fresh(ready)
    assert NEW.jwt in str(options["user_credentials"])
    assert options["token"] == NEW_PASSWORD
    assert with_references(resolved).creds.value == str(file)
