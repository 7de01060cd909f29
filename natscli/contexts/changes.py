"""What `context add` and `context copy` make of a context and the settings that were given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from natscli.contexts.format import DEFAULT_URL, KINDS, Context, credential_kinds
from natscli.errors import InputError


def apply(existing: Context | None, given: Mapping[str, Any]) -> tuple[Context, list[str]]:
    """The context after setting the keys in `given`, and what to tell the user about it.

    Only what is given changes; an empty value clears its key. Without `existing` it is a new context.
    Credentials replace the stored ones that cannot go along with them, see `credential_kinds`. As in the Go
    CLI a user without a password, also not in `existing`, is a token, and `none` removes the SOCKS proxy.

    Raises:
        InputError: credentials of two kinds are given, or a password or seed that belongs to nothing.
    """
    base = Context(url=DEFAULT_URL) if existing is None else existing
    kinds = credential_kinds(Context(**given))
    if len(kinds) > 1:
        raise InputError(
            f"credentials of two kinds at once: {' and '.join(map(_name, kinds))}",
            where=" and ".join(f"--{_name(kind)}" for kind in kinds),
        )
    values, notes = _normalized(base, given)
    for kind, keys in KINDS.items() if kinds else ():
        if _exclude(kind, kinds[0]) and any(getattr(base, key) for key in keys):
            notes.append(
                f"replaced the stored credentials ({_name(kind)}) by those given ({_name(kinds[0])})"
            )
            base = replace(base, **dict.fromkeys(keys, ""))  # type: ignore[arg-type]
            if kind == "nsc" and not base.url and not values.get("url"):
                notes.append("the server URLs came from nsc too: set them with --server")
    changed = replace(base, **values)
    for part, owner, option in (("password", "user", "--user"), ("user_seed", "user_jwt", "--jwt")):
        if values.get(part) and not getattr(changed, owner):
            name = "a password" if part == "password" else "a seed"
            raise InputError(
                f"{name} goes with {option}", where="--password" if part == "password" else "--seed"
            )
    return changed, notes


def _exclude(kind: str, other: str) -> bool:
    return kind != other and ("user" in (kind, other) or "token" not in (kind, other))


def _name(kind: str) -> str:
    """What the option is called, and thus what people know the kind by."""
    return kind.removeprefix("user_")


def _normalized(base: Context, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    values, notes = dict(given), []
    if str(values.get("socks_proxy", "")).lower() in ("none", "-"):
        values["socks_proxy"] = ""
    if values.get("user") == "":
        values.setdefault("password", "")
    if values.get("user") and not values.get("password", base.password):
        values.update(token=values["user"], user="", password="")
        notes.append("a user without a password is kept as a token")
    return values, notes
