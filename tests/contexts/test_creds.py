"""JWTs and seeds, however they are laid out; and what cannot be used."""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import nkeys
import pytest

from natscli.contexts.creds import creds_of, jwt_of, seed_of, seed_of_file
from natscli.contexts.validity import Validity, validity
from natscli.errors import InputError
from tests.accounts import Key, User, make_operator

OPERATOR = make_operator("A")
USER = OPERATOR.accounts["A"].make_user()
GOOD = USER.creds
SEED_BLOCK = f"-----BEGIN USER NKEY SEED-----\n{USER.key.seed}\n------END USER NKEY SEED------\n"
JWT_BLOCK = f"-----BEGIN NATS USER JWT-----\n{USER.jwt}\n------END NATS USER JWT------\n"

#: What editors, YAML, mail and shells make of a credentials file.
LAYOUTS: dict[str, str | bytes] = {
    "as nsc writes it": GOOD,
    "indented": textwrap.indent(GOOD, "    "),
    "indented with tabs": textwrap.indent(GOOD, "\t"),
    "blanks at the ends of lines": GOOD.replace("\n", "   \n"),
    "blank lines": GOOD.replace("\n", "\n\n"),
    "windows line ends": GOOD.replace("\n", "\r\n"),
    "old mac line ends": GOOD.replace("\n", "\r"),
    "line ends in two characters": GOOD.replace("\n", "\\n"),
    "windows line ends in two characters each": GOOD.replace("\n", "\\r\\n"),
    "no line end at the end": GOOD.rstrip(),
    "seed first": SEED_BLOCK + JWT_BLOCK,
    "no blank line between": JWT_BLOCK + SEED_BLOCK,
    "jwt over several lines": GOOD.replace(USER.jwt, "\n".join(textwrap.wrap(USER.jwt, 64))),
    "byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "utf-16 of powershell": GOOD.encode("utf-16"),
    "a note that is not utf-8": b"# Zugang f\xfcr A\n" + GOOD.encode(),
    "without decoration": f"{USER.jwt}\n{USER.key.seed}\n",
    "on one line": GOOD.replace("\n", " "),
    "without the last line": GOOD[: GOOD.index("------END USER NKEY SEED")],
}


def written(path: Path, contents: str | bytes) -> str:
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return str(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_credentials_file_is_read_however_it_is_laid_out(layout: str, tmp_path: Path) -> None:
    creds = creds_of(written(tmp_path / "a.creds", LAYOUTS[layout]), {})
    assert (creds.jwt, creds.seed) == (USER.jwt, USER.key.seed)
    assert creds.text == f"{JWT_BLOCK}\n{SEED_BLOCK}"
    assert seed_of_file(str(tmp_path / "a.creds"), {}) == USER.key.seed


@pytest.mark.parametrize("around", ["{}", "{}\n", " {} \r\n\r\n", "\n\n\t{}", "\ufeff{}\n", "{}\\n"])
def test_white_space_around_a_value_does_not_matter(around: str, tmp_path: Path) -> None:
    jwt = written(tmp_path / "jwt", around.format("\n".join(textwrap.wrap(USER.jwt, 76))))
    seed = written(tmp_path / "seed", around.format(USER.key.seed))
    environ = {"JWT": around.format(USER.jwt), "SEED": around.format(USER.key.seed)}
    assert jwt_of(f"file://{jwt}", {}) == jwt_of("env://JWT", environ) == USER.jwt
    assert seed_of(f"file://{seed}", {}) == seed_of("env://SEED", environ) == USER.key.seed
    assert seed_of_file(seed, {}) == seed_of_file("env://SEED", environ) == USER.key.seed
    assert jwt_of(around.format(USER.jwt).lstrip("\ufeff"), {}) == USER.jwt


def test_the_jwt_of_a_bearer_needs_no_seed(tmp_path: Path) -> None:
    bearer = OPERATOR.accounts["A"].make_user(bearer_token=True)
    creds = creds_of(written(tmp_path / "b.creds", bearer.creds.partition("*****")[0]), {})
    assert (creds.jwt, creds.seed) == (bearer.jwt, "")


def other(text: str) -> str:
    """`text` with a character in the middle that is another one."""
    at = len(text) // 2
    return f"{text[:at]}{'A' if text[at] != 'A' else 'B'}{text[at + 1 :]}"


ACCOUNT = OPERATOR.accounts["A"]
BAD: dict[str, tuple[str, str]] = {
    "empty": ("", "not a credentials file: it holds no user JWT"),
    "something else": ('{"a": 1}', "not a credentials file: it holds no user JWT"),
    "only a seed": (f"{USER.key.seed}\n", "not a credentials file: it holds only an nkey seed, as --nkey takes"),
    "only a jwt": (JWT_BLOCK, "the credentials file holds no user seed"),
    "half a jwt": (GOOD.replace(USER.jwt, USER.jwt[: len(USER.jwt) // 2]), "the user JWT is damaged, or none"),
    "a wrong letter in the seed": (GOOD.replace(USER.key.seed, other(USER.key.seed)), "the nkey seed is damaged"),
    "half a seed": (GOOD.replace(USER.key.seed, USER.key.seed[:30]), "the nkey seed is damaged"),
    "the seed of an account": (
        GOOD.replace(USER.key.seed, ACCOUNT.key.seed), "the nkey seed is that of an account, not of a user",
    ),
    "the seed of another user": (
        GOOD.replace(USER.key.seed, Key.make_user().seed), "the nkey seed is not that of the user JWT",
    ),
    "the jwt of an account": (GOOD.replace(USER.jwt, ACCOUNT.jwt), "the JWT is that of an account, not of a user"),
    "the jwt of an operator": (GOOD.replace(USER.jwt, OPERATOR.jwt), "the JWT is that of an operator, not of a user"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_used_is_said_with_the_file(what: str, tmp_path: Path) -> None:
    contents, reason = BAD[what]
    path = written(tmp_path / "bad.creds", contents)
    with pytest.raises(InputError) as caught:
        creds_of(path, {})
    assert (caught.value.what, caught.value.where) == (reason, path)


Reader = Callable[..., str]
BAD_VALUES: dict[str, tuple[Reader, str, str]] = {
    "no seed": (seed_of_file, "", "it holds no nkey seed"),
    "words": (seed_of_file, "two words", "it holds no nkey seed"),
    "small letters": (seed_of_file, USER.key.seed.lower(), "the nkey seed is damaged"),
    "a public key": (seed_of_file, USER.key.public, "the nkey seed is damaged"),
    "a wrong letter": (seed_of_file, other(USER.key.seed), "the nkey seed is damaged"),
    "of an operator": (
        seed_of_file, Key.make(nkeys.PREFIX_BYTE_OPERATOR).seed, "the nkey seed is that of an operator, not of a user",
    ),
    "not ASCII": (seed_of_file, "\ufffd" + USER.key.seed[1:], "the nkey seed is damaged"),
    "one character, not of ASCII, in --seed": (seed_of, "\u00b5", "the nkey seed is damaged"),
    "a wrong letter in --seed": (seed_of, other(USER.key.seed), "the nkey seed is damaged"),
    "the start of a jwt": (jwt_of, "eyJ", "the user JWT is damaged, or none"),
    "without its signature": (jwt_of, USER.jwt.rpartition(".")[0], "the user JWT is damaged, or none"),
    "of an account": (jwt_of, ACCOUNT.jwt, "the JWT is that of an account, not of a user"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_VALUES)
def test_a_seed_or_jwt_that_cannot_be_used(what: str, tmp_path: Path) -> None:
    read, value, reason = BAD_VALUES[what]
    path = written(tmp_path / "value", value)
    ref = path if read is seed_of_file else f"file://{path}"
    with pytest.raises(InputError) as caught:
        read(ref, {})
    assert (caught.value.what, caught.value.where) == (reason, ref)


def test_no_error_holds_a_secret() -> None:
    damaged = other(USER.key.seed)
    for read, value in ((seed_of, damaged), (jwt_of, USER.jwt[:-3] + "!!!")):
        with pytest.raises(InputError) as caught:
            read(value, {}, "--option")
        assert value[5:20] not in str(caught.value)
        assert caught.value.where == "--option"


def _user(**claims: object) -> User:
    """A user whose JWT has these claims of its own; its signature is wrong, which nothing here looks at."""
    header, payload, signature = USER.jwt.split(".")
    changed = json.loads(base64.urlsafe_b64decode(payload + "==")) | claims
    encoded = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    return User(USER.key, f"{header}.{encoded}.{signature}")


NOON = 1_700_000_000.0  # 2023-11-14T22:13:20Z


@pytest.mark.parametrize(
    ("claims", "now", "problem", "limit"),
    [
        ({}, NOON, "", ""),
        ({"exp": NOON}, NOON, "the user JWT expired at 2023-11-14T22:13:20Z, 0s ago", None),
        ({"exp": NOON}, NOON + 3660, "the user JWT expired at 2023-11-14T22:13:20Z, 1h1m0s ago", None),
        ({"exp": NOON}, NOON + 30 * 86400, "the user JWT expired at 2023-11-14T22:13:20Z, 30 days ago", None),
        ({"exp": NOON}, NOON - 90, "", "expires at 2023-11-14T22:13:20Z, 1m30s from now"),
        (
            {"nbf": NOON},
            NOON - 90,
            "the user JWT is not valid before 2023-11-14T22:13:20Z, 1m30s from now",
            None,
        ),
        ({"nbf": NOON}, NOON, "", ""),
        ({"exp": 0, "nbf": 0}, NOON, "", ""),
        ({"exp": "soon", "nbf": [1]}, NOON, "", ""),
        ({"exp": 10**16}, NOON, "", ""),
    ],
)
def test_when_a_jwt_is_valid(claims: dict[str, object], now: float, problem: str, limit: str | None) -> None:
    limits = validity(_user(**claims).jwt)
    assert limits.problem(now) == problem
    if limit is not None:
        assert limits.limit(now) == limit


def test_what_is_no_jwt_has_no_limits() -> None:
    for text in ("", "a.b.c", "eyJ.eyJ.eyJ", "[].W10.x", "x" * 100_000):
        assert validity(text) == Validity()
