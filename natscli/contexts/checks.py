"""What is wrong, or unwise, with a context, found without connecting."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from natscli.contexts.credentials import (
    file_of,
    find_program,
    is_pipe,
    resolve_literal,
    resolve_path,
    scheme_of,
)
from natscli.contexts.creds import check_pair, creds_of, jwt_of, seed_of, seed_of_file
from natscli.contexts.format import Context, credential_kinds
from natscli.contexts.kinds import KINDS, Holds, keys
from natscli.contexts.validity import ALWAYS, Validity, validity
from natscli.errors import InputError

_FILES = keys(Holds.FILE)
_LITERALS = keys(Holds.SECRET)
_PROFILES = keys(Holds.PROFILE)
_PATHS = ("cert", "key", "ca")
#: What reads the values of keys as connecting does; none starts a program, see `problem_of`.
_READERS: dict[str, Callable[[str, Mapping[str, str]], object]] = {
    **dict.fromkeys(_LITERALS, resolve_literal),
    **dict.fromkeys(_PATHS, resolve_path),
    "creds": creds_of,
    "nkey": seed_of_file,
    "user_jwt": jwt_of,
    "user_seed": seed_of,
}


def problems(context: Context, environ: Mapping[str, str]) -> list[str]:
    """Why the context cannot be used, one line each; `op` and `nsc` are looked for but not run."""
    found = []
    kinds = credential_kinds(context)
    if len(kinds) > 1:
        found.append(f"credentials of two kinds at once: {' and '.join(kinds)}")
    pairs = [(part.key, kind.key) for kind in KINDS for part in kind.parts[1:]]
    for part, owner in (*pairs, ("cert", "key"), ("key", "cert")):
        if getattr(context, part) and not getattr(context, owner):
            found.append(f"{part} is set without {owner}")
    if context.windows_cert_store:
        found.append("windows_cert_store needs the Go CLI: pynats reads certificates from files")
    for key in (*_FILES, *_LITERALS, *_PATHS, *_PROFILES):
        problem = problem_of(key, getattr(context, key), environ)
        if problem:
            found.append(f"{key}: {problem}")
    return found or _of_another(context, environ)


def _of_another(context: Context, environ: Mapping[str, str]) -> list[str]:
    """That the seed of the context is not that of its JWT; `op` and `nsc` are not run."""
    pair = context.user_jwt, context.user_seed
    if not all(pair) or any(scheme_of(value) in ("op", "nsc") or is_pipe(value, environ) for value in pair):
        return []
    try:
        check_pair(jwt_of(pair[0], environ), seed_of(pair[1], environ), "")
    except InputError as error:
        return [f"user_seed: {error.what}"]
    return []


def problem_of(key: str, value: str, environ: Mapping[str, str]) -> str:
    """Why the value of `key` cannot be used, empty if it can; `op` and `nsc` are looked for but not run."""
    if not value:
        return ""
    scheme = scheme_of(value)
    if key in _PROFILES or scheme in ("op", "nsc"):
        program = "op" if scheme == "op" else "nsc"
        return "" if find_program(program, environ) else f"{program!r} is not on PATH"
    try:
        if key in _READERS and not is_pipe(value, environ):
            _READERS[key](value, environ)
    except InputError as error:
        return f"{error.what} ({error.where})" if error.where else error.what
    return ""


def validity_of(context: Context, environ: Mapping[str, str]) -> Validity:
    """When the user JWT in the context, or in a file it names, is valid; `op` and `nsc` are not run."""
    return (
        validity_in("creds", context.creds, environ)
        or validity_in("user_jwt", context.user_jwt, environ)
        or ALWAYS
    )


def validity_in(key: str, value: str, environ: Mapping[str, str]) -> Validity | None:
    """The same of the value of `key`; None if that is no user JWT, or it cannot be read."""
    if (
        not value
        or key not in ("creds", "user_jwt")
        or scheme_of(value) in ("op", "nsc")
        or is_pipe(value, environ)
    ):
        return None
    try:
        return validity(creds_of(value, environ).jwt if key == "creds" else jwt_of(value, environ))
    except InputError:
        return None


def origin(key: str, value: str, environ: Mapping[str, str]) -> str:
    """Where the value of `key` really comes from when it is a reference or a path, else empty."""
    if key not in (*_FILES, *_LITERALS, *_PATHS):
        return ""
    scheme = scheme_of(value)
    if scheme in ("", "file"):
        if not scheme and key in _LITERALS:
            return ""
        try:
            path = file_of(value, environ)
        except InputError:
            return ""
        return "file" if path == value else f"file {path}"
    return {
        "env": f"variable {value.partition('://')[2]}",
        "op": "1Password",
        "nsc": "nsc",
        "data": "embedded",
    }[scheme]


def exposed_files(context: Context, path: str, environ: Mapping[str, str]) -> list[str]:
    """The context file and the secret files it names that others than their owner may read or write."""
    paths = [path]
    for key in (*_FILES, *_LITERALS, "key"):
        value = getattr(context, key)
        if key in _LITERALS and scheme_of(value) != "file":
            continue
        try:
            paths.append(file_of(value, environ))
        except InputError:
            continue  # `problems` reports it
    return [p for p in dict.fromkeys(paths) if p and _is_exposed(p)]


def _is_exposed(path: str) -> bool:
    if os.name != "posix":
        return False
    try:
        return bool(os.stat(path).st_mode & 0o077)
    except (OSError, ValueError):
        return False
