"""How `context add` and `context copy` change a context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from natscli.contexts.credentials import embedded
from natscli.contexts.format import DEFAULT_URL, Context
from natscli.contexts.kinds import KINDS, PARTS, Holds, deciding, exclude, used
from natscli.errors import InputError


def apply(existing: Context | None, given: Mapping[str, Any]) -> tuple[Context, list[str]]:
    """The context after setting the keys in `given`, and notices for the user.

    Only what is given changes; an empty value clears its key. Without `existing` it is a new context.
    Credentials replace the stored ones that cannot go along with them, see `credential_kinds`. As in the Go
    CLI a user without a password, also not in `existing`, is a token, and `none` removes the SOCKS proxy.

    Raises:
        InputError: credentials of two kinds are given, or a password or seed that belongs to nothing.
    """
    base = Context(url=DEFAULT_URL) if existing is None else existing
    chosen = deciding(used(lambda part: given.get(part.key)))
    if len(chosen) > 1:
        names = [kind.name for kind in chosen]
        raise InputError(
            f"credentials of two kinds at once: {' and '.join(names)}",
            where=" and ".join(f"--{name}" for name in names),
        )
    values, notes = _normalized(base, given)
    for kind in KINDS if chosen else ():
        stored = [part.key for part in kind.parts if getattr(base, part.key)]
        if stored and exclude(kind, chosen[0]):
            notes.append(f"replaced the stored credentials ({kind.name}) by those given ({chosen[0].name})")
            base = base.replace(**dict.fromkeys(stored, ""))
            if kind.name == "nsc" and not base.url and not values.get("url"):
                notes.append("the server URLs came from nsc too: set them with --server")
    changed = base.replace(**values)
    for kind in KINDS:
        for part in kind.parts[1:]:
            if values.get(part.key) and not getattr(changed, kind.key):
                raise InputError(f"a {part.setting} goes with --{kind.name}", where=f"--{part.setting}")
    return changed, notes


def embed(context: Context, environ: Mapping[str, str]) -> Context:
    """`context` with file-backed creds, nkey, user_jwt and user_seed as `data:` values, for `--embed`.

    Other references stay. A bare user_jwt or user_seed is the value itself, unless a file has that name.

    Raises:
        InputError: a file cannot be read.
    """
    values = {
        part.key: embedded(getattr(context, part.key), environ, is_path=part.holds is Holds.FILE)
        for part in PARTS
        if part.embedded
    }
    return context.replace(**values)


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
