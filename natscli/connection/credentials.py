"""Creds files, JWTs and nkey seeds become nats-py's options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from natscli.contexts import credentials
from natscli.errors import InputError

if TYPE_CHECKING:
    from natscli.settings import Settings


def creds_options(data: bytes, source: str) -> dict[str, Any]:
    """nats-py options for the text of a creds file: a decorated JWT and a decorated seed."""
    from nats.aio.client import RawCredentials

    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    if "BEGIN NATS USER JWT" not in text or "BEGIN USER NKEY SEED" not in text:
        raise InputError("not a credentials file: it holds no user JWT and seed", where=source)
    valid_seed(text.split("BEGIN USER NKEY SEED", 1)[1].encode(), source)
    return {"user_credentials": RawCredentials(text if text.endswith("\n") else f"{text}\n")}


def jwt_options(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    jwt = credentials.resolve_literal(settings.jwt.value, environ).strip()
    if not settings.seed:  # a bearer JWT: nothing to sign with
        return {"user_jwt_cb": lambda: jwt.encode(), "signature_cb": lambda nonce: b""}
    seed = credentials.resolve_literal(settings.seed.value, environ)
    seed = valid_seed(seed.encode(), settings.seed.source)
    text = (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
    return creds_options(text.encode(), settings.jwt.source)


def valid_seed(data: bytes, source: str) -> str:
    """The seed in a plain or decorated seed file.

    Raises:
        InputError: there is none, or it is damaged.
    """
    import nkeys

    words = [w for w in data.decode("utf-8", "replace").split() if w.startswith("S") and len(w) > 40]
    try:
        nkeys.from_seed(bytearray(words[0].encode())).wipe()
    except Exception:
        raise InputError("no valid nkey seed", where=source) from None
    return words[0]
