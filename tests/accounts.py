"""Decentralized authentication by hand: operator, accounts and users as nkeys and signed JWTs (NATS JWT v2)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nkeys


@dataclass(frozen=True)
class Key:
    """An nkey: its public key and its seed, as text."""

    public: str
    seed: str

    @classmethod
    def make(cls, prefix: int) -> Key:
        """A new key of a kind: `nkeys.PREFIX_BYTE_OPERATOR`, `..._ACCOUNT` or `..._USER`."""
        seed = bytes(nkeys.encode_seed(os.urandom(32), prefix))
        pair = nkeys.from_seed(bytearray(seed))
        return cls(bytes(pair.public_key).decode(), seed.decode())

    @classmethod
    def make_user(cls) -> Key:
        """A new user key; its public key is what a server's `nkey:` user wants."""
        return cls.make(nkeys.PREFIX_BYTE_USER)

    def sign(self, data: bytes) -> bytes:
        """The ed25519 signature of `data`."""
        return bytes(nkeys.from_seed(bytearray(self.seed.encode())).sign(data))


@dataclass(frozen=True)
class User:
    """A user of an account: key, JWT, and both as the text of a creds file."""

    key: Key
    jwt: str

    @property
    def creds(self) -> str:
        """The text of the creds file."""
        return (
            f"-----BEGIN NATS USER JWT-----\n{self.jwt}\n------END NATS USER JWT------\n\n"
            "************************* IMPORTANT *************************\n"
            "NKEY Seed printed below can be used to sign and prove identity.\n"
            "NKEYs are sensitive and should be treated as secrets.\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{self.key.seed}\n------END USER NKEY SEED------\n\n"
            "*************************************************************\n"
        )


@dataclass(frozen=True)
class Account:
    """An account, which signs its users."""

    name: str
    key: Key
    jwt: str

    def make_user(
        self, name: str = "user", *, lifetime: float | None = None, begins: float = 0, **claims: Any
    ) -> User:
        """A new user; `lifetime` and `begins` in seconds from now, `claims` such as `pub={"allow": [...]}`."""
        key = Key.make_user()
        limits = {"subs": -1, "data": -1, "payload": -1}
        nats = {"type": "user", "version": 2, "pub": {}, "sub": {}, **limits, **claims}
        return User(key, encode_jwt(self.key, key.public, name, nats, lifetime=lifetime, begins=begins))


@dataclass(frozen=True)
class Operator:
    """An operator with accounts, for a server with a memory resolver."""

    key: Key
    jwt: str
    accounts: Mapping[str, Account]

    @property
    def server_config(self) -> str:
        """Configuration of a server that trusts this operator and knows its accounts."""
        preload = "".join(f"  {account.key.public}: {account.jwt}\n" for account in self.accounts.values())
        return f"operator: {self.jwt}\nresolver: MEMORY\nresolver_preload: {{\n{preload}}}\n"


def make_operator(*account_names: str, lifetime: float | None = None) -> Operator:
    """A new operator with new accounts, without limits; they last for `lifetime` seconds."""
    key = Key.make(nkeys.PREFIX_BYTE_OPERATOR)
    accounts = {name: _make_account(key, name, lifetime) for name in account_names or ("APP",)}
    return Operator(
        key, encode_jwt(key, key.public, "operator", {"type": "operator", "version": 2}), accounts
    )


def _make_account(operator: Key, name: str, lifetime: float | None) -> Account:
    key = Key.make(nkeys.PREFIX_BYTE_ACCOUNT)
    names = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
    limits: dict[str, Any] = dict.fromkeys(names, -1) | {"wildcards": True}
    claims = {
        "type": "account",
        "version": 2,
        "limits": limits,
        "default_permissions": {"pub": {}, "sub": {}},
    }
    return Account(name, key, encode_jwt(operator, key.public, name, claims, lifetime=lifetime))


def encode_jwt(
    issuer: Key,
    subject: str,
    name: str,
    nats: Mapping[str, Any],
    *,
    lifetime: float | None = None,
    begins: float = 0,
    audience: str = "",
) -> str:
    """A NATS JWT (algorithm ed25519-nkey) with the claims `nats` about the public key `subject`."""
    claims: dict[str, Any] = {
        "iat": int(time.time()),
        "iss": issuer.public,
        "name": name,
        "sub": subject,
        "nats": nats,
    }
    if audience:
        claims["aud"] = audience
    if lifetime is not None:
        claims["exp"] = int(time.time() + lifetime)
    if begins:
        claims["nbf"] = int(time.time() + begins)
    digest = hashlib.sha256(_json(claims)).digest()
    claims["jti"] = base64.b32encode(digest).rstrip(b"=").decode()
    signed = f"{_base64(_json({'typ': 'JWT', 'alg': 'ed25519-nkey'}))}.{_base64(_json(claims))}"
    return f"{signed}.{_base64(issuer.sign(signed.encode()))}"


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
