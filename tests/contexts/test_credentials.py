"""Credential references, with stand-ins for the programs `op` and `nsc`."""

from __future__ import annotations

import json
import os
import textwrap
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from natscli.contexts import credentials
from natscli.contexts.changes import embed
from natscli.contexts.credentials import (
    expand,
    nsc_profile,
    resolve_file,
    resolve_literal,
    resolve_path,
    scheme_of,
)
from natscli.contexts.format import Context
from natscli.errors import ExitStatus, InputError

SECRET = "s3cr3t-of-the-vault"
Stub = Callable[[str, str], dict[str, str]]


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    """`stub("op", script)` puts an executable on a PATH and returns the environment to find it with."""

    def make(name: str, script: str) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return {"PATH": f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"}

    return make


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my.creds"
    path.write_bytes(b"contents\r\n\n")
    return path


def failure(action: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as caught:
        action()
    error = caught.value
    assert error.status == ExitStatus.USAGE
    for text in (error.what, error.where, error.hint):
        assert "\n" not in text
        assert SECRET not in text
    return error


@pytest.mark.parametrize(
    ("ref", "scheme"),
    [("/a/b", ""), ("a:b", ""), ("C:\\x", ""), ("ENV://X", "env"), ("file:///x", "file"), ("Op://a/b/c", "op"),
     ("nsc://o/a/u", "nsc"), ("DATA:;base64,AA", "data"), ("vault://x", ""), ("", ""), ("env:X", "")],
)  # fmt: skip
def test_schemes(ref: str, scheme: str) -> None:
    assert scheme_of(ref) == scheme


def test_a_bare_value_is_a_path_for_creds_and_itself_for_a_password(file: Path) -> None:
    assert resolve_file(str(file), {}) == b"contents\r\n\n"
    assert resolve_literal(str(file), {}) == str(file)
    assert resolve_literal("pa$$w~rd ", {}) == "pa$$w~rd "
    assert resolve_literal("", {}) == ""


def test_a_file_reference_is_read_and_loses_its_last_line_ends_as_a_password(file: Path) -> None:
    assert resolve_file(f"FILE://{file}", {}) == b"contents\r\n\n"
    assert resolve_literal(f"file://{file}", {}) == "contents"


def test_home_and_variables_are_expanded_in_paths(file: Path) -> None:
    environ = {"HOME": str(file.parent), "D": str(file.parent), "N": "my"}
    for ref in ("~/my.creds", "file://~/my.creds", "$D/my.creds", "${D}/${N}.creds", "$HOME/my.creds"):
        assert resolve_file(ref, environ) == b"contents\r\n\n"
        assert resolve_path(ref, environ) == str(file)
    assert expand("a$", {}) == "a$"


def test_a_variable_that_is_not_set_is_an_error() -> None:
    assert failure(lambda: resolve_file("$NOPE/x", {})).what == "variable $NOPE is not set"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for action in (resolve_file, resolve_path):
        error = failure(lambda action=action: action(str(tmp_path / "no"), {}))  # type: ignore[misc]
        assert (error.what, error.where) == (
            "cannot read the file: no such file or directory",
            str(tmp_path / "no"),
        )
    assert "is a directory" in failure(lambda: resolve_file(str(tmp_path), {})).what
    assert "not a path" in failure(lambda: resolve_file("a\0b", {})).what


def test_environment_references() -> None:
    assert resolve_literal("env://PW", {"PW": "x\n"}) == "x"
    assert resolve_file("Env://PW", {"PW": "x\n"}) == b"x\n"
    assert failure(lambda: resolve_literal("env://PW", {})).what == "variable PW is not set"
    assert failure(lambda: resolve_literal("env://PW", {"PW": ""})).what == "variable PW is empty"
    assert "without a name" in failure(lambda: resolve_literal("env://", {})).what


def test_embedded_data() -> None:
    data = b64encode(b"seed\n").decode()
    for ref in (f"data:;base64,{data}", f"DATA:application/octet-stream;base64,{data}"):
        assert resolve_file(ref, {}) == b"seed\n"
        assert resolve_literal(ref, {}) == "seed"
    for ref in (f"data:,{SECRET}", f"data:{SECRET}", f"data:;base64,{SECRET}"):
        assert "embedded credentials" in failure(lambda ref=ref: resolve_file(ref, {})).what  # type: ignore[misc]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", " \n ", "\t"])
def test_line_ends_in_embedded_data_do_not_matter(line_end: str) -> None:
    data = b"seed of several lines " * 10
    lines = textwrap.wrap(b64encode(data).decode(), 76)
    assert resolve_file(f"data:;base64,{line_end.join(lines)}{line_end}", {}) == data


def test_unknown_kinds_of_references_are_refused_for_files_only() -> None:
    assert (
        "unknown kind of credential reference 'vault://'"
        in failure(lambda: resolve_file("vault://x", {})).what
    )
    assert resolve_literal("vault://x", {}) == "vault://x"


def test_certificates_can_only_be_files() -> None:
    for ref in ("env://X", "op://a/b/c", f"data:;base64,{SECRET}"):
        assert "only be files" in failure(lambda ref=ref: resolve_path(ref, {})).what  # type: ignore[misc]


def test_bytes_that_are_no_text_are_no_password(file: Path) -> None:
    file.write_bytes(b"\xff\xff")
    assert "not text" in failure(lambda: resolve_literal(f"file://{file}", {})).what


def test_op_is_run_with_the_reference(stub: Stub) -> None:
    environ = stub("op", f'[ "$1 $2" = "read op://My Vault/item/field" ] && echo {SECRET}')
    assert resolve_literal("OP://My Vault/item/field", environ) == SECRET
    assert resolve_file("op://My Vault/item/field", environ) == f"{SECRET}\n".encode()


def test_no_shell_sees_the_reference(stub: Stub, tmp_path: Path) -> None:
    environ = stub("op", 'echo "$2"')
    ref = f"op://$(touch {tmp_path}/ran);touch {tmp_path}/ran/x"
    assert resolve_literal(ref, environ) == ref
    assert not (tmp_path / "ran").exists()


def test_op_that_is_not_there_is_said() -> None:
    error = failure(lambda: resolve_literal("op://a/b/c", {"PATH": "/nonexistent"}))
    assert error.what == "'op' (the 1Password CLI) is not on PATH"
    assert error.where == "op://a/b/c"


def test_op_that_fails_says_why_but_no_secret(stub: Stub) -> None:
    environ = stub("op", 'echo "[ERROR] you are not signed in" >&2; exit 6')
    error = failure(lambda: resolve_literal("op://a/b/c", environ))
    assert error.what == "'op' failed with status 6: [ERROR] you are not signed in"
    environ = stub("op", f"echo {SECRET}; echo bad {SECRET} >&2; exit 1")
    assert failure(lambda: resolve_literal("op://a/b/c", environ)).what == "'op' failed with status 1"


def test_a_program_that_hangs_is_given_up_on(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "TIME_LIMIT", 0.3)
    environ = stub("op", "sleep 6")  # a grandchild that keeps the pipe open
    start = time.monotonic()
    assert failure(lambda: resolve_literal("op://a/b/c", environ)).what == "'op' did not answer within 0.3s"
    assert time.monotonic() - start < 5


def test_nsc_gives_the_creds_and_the_servers(stub: Stub, file: Path) -> None:
    profile = {"user_creds": str(file), "operator": {"service": ["nats://a:1", "nats://b:2"]}}
    environ = stub(
        "nsc", f"[ \"$*\" = 'generate profile nsc://o/a/u' ] && cat <<'E'\n{json.dumps(profile)}\nE"
    )
    assert nsc_profile("nsc://o/a/u", environ) == (str(file), "nats://a:1,nats://b:2")
    assert nsc_profile("NSC://o/a/u", environ) == nsc_profile("o/a/u", environ)
    assert resolve_file("nsc://o/a/u", environ) == b"contents\r\n\n"


def test_nsc_may_answer_with_one_server_or_with_little(stub: Stub) -> None:
    assert nsc_profile("nsc://o", stub("nsc", """echo '{"operator": {"service": "h:1"}}'""")) == ("", "h:1")
    assert nsc_profile("nsc://o", stub("nsc", "echo '{}'")) == ("", "")
    assert "no credentials file" in failure(lambda: resolve_file("nsc://o", stub("nsc", "echo '{}'"))).what


@pytest.mark.parametrize("answer", ["", "oops", "[]", '{"operator": 5}', '{"operator": {"service": [1]}}'])
def test_nsc_that_answers_something_else(answer: str, stub: Stub) -> None:
    environ = stub("nsc", f"echo '{answer}'")
    assert failure(lambda: nsc_profile("nsc://o", environ)).what == "nsc returned no profile"


def test_embedding_takes_in_files_and_leaves_other_references(tmp_path: Path, file: Path) -> None:
    seed = tmp_path / "seed"
    seed.write_bytes(b"SU")
    context = embed(
        Context(
            creds=str(file),
            nkey="~/seed",
            user_jwt="eyJhbGciOi$J9.x.y",
            user_seed=f"file://{seed}",
            cert="/c",
        ),
        {"HOME": str(tmp_path)},
    )
    assert resolve_file(context.creds, {}) == b"contents\r\n\n"
    assert context.creds.startswith("data:;base64,")
    assert resolve_literal(context.nkey, {}) == resolve_literal(context.user_seed, {}) == "SU"
    assert (context.user_jwt, context.cert) == ("eyJhbGciOi$J9.x.y", "/c")
    kept = Context(creds="op://a/b/c", nkey="env://X", user_jwt=context.creds, user_seed="nsc://o")
    assert embed(kept, {}) == kept
    assert embed(Context(user_jwt=str(file)), {}).user_jwt == context.creds
    failure(lambda: embed(Context(creds=str(tmp_path / "no")), {}))
