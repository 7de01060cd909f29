"""The user JWT and the nkey seed in a credentials file, a seed file or a setting, however they are laid out.

Indentation, blank lines, any line ends, also as a backslash and an `n`, a JWT broken over several lines, the seed
first and a byte order mark are taken: what YAML, mail, editors, PowerShell and Docker make of such a file. What
cannot be used at all is refused here, so that checking a context and connecting with it come to the same verdict. No
error holds a secret.
"""

from __future__ import annotations

import re
from base64 import b32decode, urlsafe_b64decode
from binascii import crc_hqx
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from natscli.contexts.credentials import describe, resolve_file, resolve_literal, scheme_of, text_of
from natscli.errors import InputError

#: A block of a credentials file: its title, and what is between the lines that begin and end it.
_BLOCK = re.compile(r"-{3,}\s*BEGIN\s+([\w ]+?)\s*-{3,}(.*?)(?:-{3,}\s*END\b|\Z)", re.DOTALL)
#: What a seed is of, by its prefix byte.
_OWNERS = {
    "U": "a user",
    "A": "an account",
    "O": "an operator",
    "N": "a server",
    "C": "a cluster",
    "X": "a curve key",
}
_SEED_PREFIX = 18 << 3


@dataclass(frozen=True, repr=False)
class Creds:
    """What a credentials file holds. The `seed` is empty if the JWT is one of a bearer: then nothing is signed."""

    jwt: str
    seed: str

    @property
    def text(self) -> str:
        """The credentials file as tools write it, which every client can read."""
        return (
            f"-----BEGIN NATS USER JWT-----\n{self.jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{self.seed}\n------END USER NKEY SEED------\n"
        )


def creds_of(ref: str, environ: Mapping[str, str]) -> Creds:
    """The credentials that a path or a reference names.

    Raises:
        InputError: there are none, or they cannot be used; the message names the file.
    """
    where = describe(ref)
    text, blocks = _blocks(ref, environ)
    jwt = next((block for title, block in blocks.items() if "JWT" in title), "")
    seed = next((block for title, block in blocks.items() if "SEED" in title), "")
    if not blocks:  # without decoration
        jwt = next((word for word in text.split() if word.startswith("eyJ")), "")
        seed = _seed_word(text, alone=False)
    if not jwt:
        reason = "it holds only an nkey seed, as --nkey takes" if seed else "it holds no user JWT"
        raise InputError(f"not a credentials file: {reason}", where=where)
    claims = checked_claims(jwt, where)
    if seed or not _is_bearer(claims):
        if not seed:
            raise InputError("the credentials file holds no user seed", where=where)
        check_seed(seed, where)
        check_pair(jwt, seed, where)
    return Creds(jwt, seed)


def seed_of_file(ref: str, environ: Mapping[str, str]) -> str:
    """The seed in the file that a path or a reference names, with or without decoration.

    Raises:
        InputError: there is none, or it cannot be used.
    """
    text, blocks = _blocks(ref, environ)
    seed = next((block for title, block in blocks.items() if "SEED" in title), "")
    return check_seed(seed or _seed_word(text), describe(ref))


def jwt_of(ref: str, environ: Mapping[str, str], source: str = "") -> str:
    """The JWT that is given or referred to; line ends and blanks in it are dropped.

    Raises:
        InputError: it is none.
    """
    where = describe(ref) if scheme_of(ref) else source
    text = _with_line_ends(resolve_literal(ref, environ))
    if _BLOCK.search(text):
        text = _BLOCK.findall(text)[0][1]
    jwt = "".join(text.split())
    checked_claims(jwt, where)
    return jwt


def seed_of(ref: str, environ: Mapping[str, str], source: str = "") -> str:
    """The seed that is given or referred to, with or without decoration.

    Raises:
        InputError: it is none, or cannot be used.
    """
    seed = _seed_word(_with_line_ends(resolve_literal(ref, environ)))
    return check_seed(seed, describe(ref) if scheme_of(ref) else source)


def claims_of(jwt: str) -> dict[str, Any]:
    """What a JWT claims, unchecked; nothing if it is none."""
    import json

    try:
        _, payload, _ = jwt.split(".")
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def checked_claims(jwt: str, where: str) -> dict[str, Any]:
    """What a user JWT claims.

    Raises:
        InputError: it is damaged, or the JWT of an account or an operator.
    """
    claims = claims_of(jwt)
    if not claims or not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", jwt, re.ASCII):
        raise InputError("the user JWT is damaged, or none", where=where)
    nats = claims.get("nats")
    kind = nats.get("type") if isinstance(nats, dict) else None
    if kind in ("account", "operator"):
        raise InputError(f"the JWT is that of an {kind}, not of a user", where=where)
    return claims


def check_seed(seed: str, where: str) -> str:
    """`seed`, the nkey seed of a user.

    Raises:
        InputError: it is none, damaged (a character is wrong or missing), or that of something else.
    """
    if not seed:
        raise InputError("it holds no nkey seed", where=where)
    try:
        data = b32decode(seed + "=" * (-len(seed) % 8))
    except ValueError:  # of other characters than those of ASCII too
        data = b""
    if len(data) != 36 or data[0] & 0xF8 != _SEED_PREFIX or _checksum(data[:-2]) != data[-2:]:
        raise InputError("the nkey seed is damaged", where=where)
    if seed[1] != "U":
        raise InputError(f"the nkey seed is that of {_OWNERS.get(seed[1], 'something else')}, not of a user",
                         where=where)  # fmt: skip
    return seed


def check_pair(jwt: str, seed: str, where: str) -> None:
    """Refuse a user JWT, other than that of a bearer, with the seed of another user: no server would take them.

    Raises:
        InputError: the public key of the seed is not the subject of the JWT.
    """
    import nkeys  # which nats-py signs with, once there is a seed

    claims = claims_of(jwt)
    owner = claims.get("sub")
    if not isinstance(owner, str) or not owner.startswith("U") or _is_bearer(claims):
        return
    if nkeys.from_seed(bytearray(seed.encode())).public_key.decode() != owner:
        raise InputError("the nkey seed is not that of the user JWT", where=where)


def needs_seed(jwt: str) -> bool:
    """Whether a user JWT is of no use without its seed: it is that of no bearer, nor may its account make it one."""
    claims = claims_of(jwt)
    nats = claims.get("nats")
    by_signing_key = isinstance(nats, dict) and nats.get("issuer_account")  # which may have a scope
    return not (_is_bearer(claims) or by_signing_key)


def _blocks(ref: str, environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The text of a file, and its blocks by their titles, without blanks and line ends."""
    # Only the notes between blocks are not ASCII.
    text = _with_line_ends(text_of(resolve_file(ref, environ), errors="replace"))
    return text, {title.upper(): "".join(content.split()) for title, content in _BLOCK.findall(text)}


def _with_line_ends(text: str) -> str:
    """`text` in which a backslash and an `n`, as in files of variables for containers, are a line end."""
    return text.replace("\\r", "").replace("\\n", "\n")


def _checksum(data: bytes) -> bytes:
    return crc_hqx(data, 0).to_bytes(2, "little")


def _seed_word(text: str, *, alone: bool = True) -> str:
    """The first word that may be a seed; of a text that is one word that word if it is `alone`, to be checked."""
    words = text.split()
    seeds = [word for word in words if re.fullmatch(r"S[A-Z2-7]{30,}", word)]
    return seeds[0] if seeds else words[0] if alone and len(words) == 1 else ""


def _is_bearer(claims: Mapping[str, Any]) -> bool:
    nats = claims.get("nats")
    return isinstance(nats, dict) and nats.get("bearer_token") is True
