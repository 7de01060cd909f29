"""Credentials are read again: files, variables, programs; and what can be read only once is kept."""

from __future__ import annotations

import asyncio
import base64
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from natscli.connection.credentials import with_references, with_secrets
from natscli.connection.options import Plan, prepare
from natscli.contexts.format import Context, dump
from natscli.contexts.store import ContextStore
from natscli.environment import Environment
from natscli.errors import InputError
from natscli.settings import Settings, Value, resolve
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


URL = "nats://127.0.0.1:4321"


def data_url(text: str) -> str:
    return f"data:;base64,{base64.b64encode(text.encode()).decode()}"


def user_and_password(password: str) -> dict[str, str]:
    return {"user": "bob", "password": password}


def jwt_and_seed(user: User) -> dict[str, str]:
    return {"user_jwt": user.jwt, "user_seed": user.key.seed}


#: What a context has of credentials at first and then, and what is in nats-py's options then.
IN_CONTEXTS: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "embedded": ({"creds": data_url(OLD.creds)}, {"creds": data_url(NEW.creds)}, NEW.jwt),
    "JWT": (jwt_and_seed(OLD), jwt_and_seed(NEW), NEW.jwt),
    "password": (user_and_password(OLD_PASSWORD), user_and_password(NEW_PASSWORD), NEW_PASSWORD),
    "token": ({"user": OLD_PASSWORD}, {"token": NEW_PASSWORD}, NEW_PASSWORD),
    "nkey": ({"nkey": data_url(OLD.key.seed)}, {"nkey": data_url(NEW.key.seed)}, NEW.key.seed),
    "kind": (user_and_password(OLD_PASSWORD), {"creds": data_url(NEW.creds)}, NEW.jwt),
    "reference": ({"token": "env://OLD"}, {"token": "env://NEW"}, NEW_PASSWORD),
    "none": ({}, {"token": NEW_PASSWORD}, NEW_PASSWORD),
}


class Contexts:
    """A folder with the context `ci`, and what is given beside it."""

    def __init__(self, folder: Path) -> None:
        variables = {"XDG_CONFIG_HOME": str(folder), "OLD": OLD_PASSWORD, "NEW": NEW_PASSWORD}
        self.around = environment(**variables)
        self.store = ContextStore(self.around.config_dir)
        self.file = Path(self.store.path("ci"))

    def save(self, **values: str) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        given: dict[str, Any] = {"url": URL} | values
        self.file.write_bytes(dump(Context(**given)))

    def settings(self, name: str = "ci", **flags: str) -> Settings:
        return resolve({"context": name, **flags}, {}, self.store)


@pytest.fixture
def contexts(tmp_path: Path) -> Contexts:
    return Contexts(tmp_path)


@pytest.mark.parametrize("process", [False, True], ids=["", "with secrets for processes"])
@pytest.mark.parametrize("kind", IN_CONTEXTS)
def test_what_a_context_has_of_credentials_is_read_again(
    kind: str, contexts: Contexts, *, process: bool
) -> None:
    before, after, expected = IN_CONTEXTS[kind]
    contexts.save(**before)
    settings = contexts.settings(str(contexts.file) if kind == "JWT" else "ci")
    if process:
        settings = with_secrets(settings, contexts.around.environ)
    ready = prepare(settings, contexts.around)
    assert expected not in str(ready.options)
    assert fresh(ready) == ready.credentials.options
    assert ready.credentials.problem is None
    contexts.save(**after)
    assert expected in str(fresh(ready))
    assert expected not in contexts.around.redactor.redact(f"x {expected} y")


@pytest.mark.parametrize(
    ("flags", "before", "after", "problem"),
    [
        ({}, {}, {"url": "nats://127.0.0.1:4322"}, "context 'ci' is for other servers now"),
        ({}, {"url": ""}, {"url": "nats://127.0.0.1:4322"}, "context 'ci' is for other servers now"),
        ({}, {}, {"url": URL.replace("nats://", "nats://b@")}, "context 'ci' is for other servers now"),
        ({}, {}, {"user": "bob"}, "credentials of two kinds at once"),
        ({}, {}, None, "unknown context 'ci'"),
        ({}, {}, "{", "invalid JSON"),
        (
            {"server": "nats://127.0.0.1:4323"},
            {},
            {"url": "nats://127.0.0.1:4322"},
            "is for other servers now",
        ),
        ({"token": OLD_PASSWORD}, {}, None, ""),
        ({"token": OLD_PASSWORD}, {}, {}, ""),
    ],
)
def test_a_context_that_is_gone_or_for_other_servers_changes_nothing(
    flags: dict[str, str], before: dict[str, str], after: Any, problem: str, contexts: Contexts
) -> None:
    contexts.save(**{"token": OLD_PASSWORD} | before)
    ready = prepare(contexts.settings(**flags), contexts.around)
    if isinstance(after, dict):
        contexts.save(**{"token": NEW_PASSWORD} | after)
    elif after:
        contexts.file.write_text(after)
    else:
        contexts.file.unlink()
    assert fresh(ready)["token"] == OLD_PASSWORD
    assert problem in str(ready.credentials.problem or "")
    assert bool(problem) == (ready.credentials.problem is not None)
    contexts.save(token=NEW_PASSWORD, **before)
    assert fresh(ready)["token"] == (OLD_PASSWORD if "token" in flags else NEW_PASSWORD)


def test_the_file_that_a_context_named_is_read_again_when_the_context_is_gone(
    contexts: Contexts, tmp_path: Path
) -> None:
    file = tmp_path / "a.creds"
    file.write_text(OLD.creds)
    contexts.save(creds=str(file))
    ready = prepare(contexts.settings(), contexts.around)
    contexts.file.unlink()
    file.write_text(NEW.creds)
    assert NEW.jwt in str(fresh(ready)["user_credentials"])
    assert "unknown context" in str(ready.credentials.problem)


def test_a_server_that_is_given_gets_what_the_context_has_now(contexts: Contexts) -> None:
    contexts.save(user="bob", password=OLD_PASSWORD)
    ready = prepare(contexts.settings(server="nats://127.0.0.1:4323", user="alice"), contexts.around)
    contexts.save(url=URL.removeprefix("nats://"), user="bob", password=NEW_PASSWORD)
    options = fresh(ready)
    assert (options["user"], options["password"]) == ("alice", NEW_PASSWORD)
    assert ready.servers == ["nats://127.0.0.1:4323"]


@pytest.mark.parametrize("servers", ["[]", '["nats://127.0.0.1:4323"]'])
@pytest.mark.parametrize("process", [False, True], ids=["", "with secrets for processes"])
def test_what_nsc_has_for_a_context_is_asked_for_again(
    servers: str, contexts: Contexts, tmp_path: Path, *, process: bool
) -> None:
    file, nsc = tmp_path / "a.creds", tmp_path / "nsc"
    nsc.write_text(f'#!/bin/sh\necho \'{{"user_creds": "{file}", "operator": {{"service": {servers}}}}}\'\n')
    nsc.chmod(0o755)
    contexts.around.environ["PATH"] = f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin"  # type: ignore[index]
    file.write_text(OLD.creds)
    contexts.save(url="", nsc="nsc://o/a/u")
    settings = contexts.settings()
    ready = prepare(with_secrets(settings, contexts.around.environ) if process else settings, contexts.around)
    file.write_text(NEW.creds)
    assert NEW.jwt in str(fresh(ready)["user_credentials"])
    assert ready.credentials.problem is None
    assert ready.servers == [URL.replace("4321", "4222" if servers == "[]" else "4323")]
