"""Creds files, JWTs and nkey seeds become nats-py's options."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from natscli.contexts import credentials
from natscli.contexts.kinds import KINDS, PARTS, Holds
from natscli.errors import InputError
from natscli.text import for_programs

if TYPE_CHECKING:
    from natscli.settings import Settings, Value


def credential_options(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """nats-py options for the credentials of `settings`; `servers` too, where the credentials come with servers.

    Raises:
        InputError: a reference that cannot be resolved, or credentials that cannot be used.
    """
    options: dict[str, Any] = {}
    for kind in KINDS:
        if getattr(settings, kind.name):
            options.update(_OPTIONS[kind.name](settings, environ))
    return options


def with_secrets(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """`settings` in which every reference to a secret is the secret: for processes that must not ask for it again.

    Raises:
        InputError: a reference that cannot be resolved.
    """
    changes: dict[str, Any] = {}
    for part in PARTS:
        value: Value[str] = getattr(settings, part.setting)
        if not value or part.holds is Holds.NAME:
            continue
        if part.holds is Holds.SECRET:
            secret = credentials.resolve_literal(value.value, environ)
            plain = not credentials.scheme_of(secret)
            changes[part.setting] = replace(value, value=secret if plain else _embedded(secret.encode()))
        elif part.holds is Holds.FILE:
            changes[part.setting] = replace(
                value, value=_embedded(credentials.resolve_file(value.value, environ))
            )
        else:
            path, urls = credentials.nsc_profile(value.value, environ)
            changes["nsc"] = replace(value, value="")
            changes["creds"] = replace(value, value=_embedded(credentials.resolve_file(path, environ)))
            if urls and settings.server.source == "default":
                changes["server"] = replace(value, value=urls)
    return replace(settings, **changes)


def _embedded(data: bytes) -> str:
    return f"data:;base64,{b64encode(data).decode()}"


def _user(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    password = credentials.resolve_literal(settings.password.value, environ)
    return {"user": settings.user.value, "password": password}


def _token(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    return {"token": credentials.resolve_literal(settings.token.value, environ)}


def _creds(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    return _from_creds(credentials.resolve_file(settings.creds.value, environ), settings.creds.source)


def _nkey(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    seed = credentials.resolve_file(settings.nkey.value, environ)
    return {"nkeys_seed_str": _valid_seed(seed, settings.nkey.source)}


def _nsc(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    creds_file, urls = credentials.nsc_profile(settings.nsc.value, environ)
    options = _from_creds(credentials.resolve_file(creds_file, environ), settings.nsc.source)
    return {**options, "servers": [url.strip() for url in urls.split(",")]} if urls else options


def _jwt(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    jwt = credentials.resolve_literal(settings.jwt.value, environ).strip()
    if not settings.seed:  # a bearer JWT: nothing to sign with
        return {"user_jwt_cb": lambda: jwt.encode(), "signature_cb": lambda nonce: b""}
    seed = credentials.resolve_literal(settings.seed.value, environ)
    seed = _valid_seed(seed.encode(), settings.seed.source)
    text = (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
    return _from_creds(text.encode(), settings.jwt.source)


#: How nats-py takes each of the `KINDS`, by their names.
_OPTIONS: dict[str, Callable[[Settings, Mapping[str, str]], dict[str, Any]]] = {
    "user": _user,
    "token": _token,
    "creds": _creds,
    "nkey": _nkey,
    "nsc": _nsc,
    "jwt": _jwt,
}


def _from_creds(data: bytes, source: str) -> dict[str, Any]:
    """nats-py options for the text of a creds file: a decorated JWT and a decorated seed."""
    from nats.aio.client import RawCredentials

    text = for_programs(data).replace("\r\n", "\n")
    if "BEGIN NATS USER JWT" not in text or "BEGIN USER NKEY SEED" not in text:
        raise InputError("not a credentials file: it holds no user JWT and seed", where=source)
    _valid_seed(text.split("BEGIN USER NKEY SEED", 1)[1].encode(), source)
    return {"user_credentials": RawCredentials(text if text.endswith("\n") else f"{text}\n")}


def _valid_seed(data: bytes, source: str) -> str:
    """The seed in a plain or decorated seed file.

    Raises:
        InputError: there is none, or it is damaged.
    """
    import nkeys

    words = [w for w in for_programs(data).split() if w.startswith("S") and len(w) > 40]
    try:
        nkeys.from_seed(bytearray(words[0].encode())).wipe()
    except Exception:
        raise InputError("no valid nkey seed", where=source) from None
    return words[0]
