"""Credential references: where the bytes of a credential come from when it is used (ADR-21, natscli #1579).

`creds` and `nkey` hold a path or a reference, the literal settings (password, token, JWT, seed) a value or a
reference. References: `file://PATH`, `env://NAME`, `op://vault/item/field`, `nsc://operator/account/user` and
`data:;base64,...`; schemes in any case. `~` and `$VAR` are expanded in paths. No error holds a secret.
"""

from __future__ import annotations

import codecs
import os
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING

from natscli.environment import home_folder
from natscli.errors import InputError
from natscli.text import exact_bytes, for_programs

if TYPE_CHECKING:
    from subprocess import Popen

#: Seconds an external program (`op`, `nsc`) may take.
TIME_LIMIT = 30.0

_SCHEMES = ("file", "env", "op", "nsc")


def scheme_of(ref: str) -> str:
    """The scheme of a reference in lower case, empty for a bare path or a literal value."""
    scheme, colon, rest = ref.partition(":")
    scheme = scheme.lower()
    if colon and ((scheme in _SCHEMES and rest.startswith("//")) or scheme == "data"):
        return scheme
    return ""


def resolve_file(ref: str, environ: Mapping[str, str]) -> bytes:
    """The contents behind `ref`, for `creds` and `nkey`: a bare value is a path.

    Raises:
        InputError: the reference is malformed, or what it names is not there.
    """
    scheme = scheme_of(ref)
    if not scheme and "://" in ref:
        raise InputError(
            f"unknown kind of credential reference {ref.partition(':')[0] + '://'!r}",
            hint="use a path, file://, env://, op://, nsc:// and data:;base64,",
        )
    if scheme in ("", "file"):
        return _read(expand(_rest(ref), environ))
    return _fetch(scheme, ref, environ)


def resolve_literal(ref: str, environ: Mapping[str, str]) -> str:
    """The value behind `ref`, for password, token, JWT and seed: a bare value is the value itself.

    Line ends at the end of what a reference gives are dropped, as in the Go CLI.

    Raises:
        InputError: the reference is malformed, what it names is not there or is not text.
    """
    scheme = scheme_of(ref)
    if not scheme:
        return ref
    data = _read(expand(_rest(ref), environ)) if scheme == "file" else _fetch(scheme, ref, environ)
    try:
        return text_of(data).rstrip("\r\n")
    except UnicodeDecodeError:
        raise InputError("the credential is not text", where=describe(ref)) from None


def text_of(data: bytes, errors: str = "strict") -> str:
    """The text that `data` is: UTF-8, or UTF-16 with a byte order mark, as PowerShell writes it.

    Raises:
        UnicodeDecodeError: it is not text, unless `errors` is `replace`.
    """
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig", errors)


def resolve_path(ref: str, environ: Mapping[str, str]) -> str:
    """The path in `ref`, for certificates and keys, which can only be files, or pipes such as `<(...)` in a shell.

    Raises:
        InputError: another kind of reference, or a file that cannot be read.
    """
    scheme = scheme_of(ref)
    if scheme not in ("", "file"):
        raise InputError("certificates and their keys can only be files", where=describe(ref))
    path = expand(_rest(ref), environ)
    if not _is_pipe(path):  # what is read from one is gone
        _read(path)
    return path


def nsc_profile(ref: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Path of the creds file and comma-separated server URLs that `nsc` has for `ref` (legacy `nsc` key).

    Either may be empty. A reference without `nsc://` is completed, as in the Go CLI.

    Raises:
        InputError: `nsc` is not there, failed, took too long or answered something else.
    """
    import json

    ref = f"nsc://{_rest(ref) if scheme_of(ref) == 'nsc' else ref}"
    output = _run(["nsc", "generate", "profile", ref], ref, environ)
    try:
        answer = json.loads(output)
        creds = answer.get("user_creds") or ""
        service = (answer.get("operator") or {}).get("service") or ()
        # ADR-21 shows one text here, nsc itself answers a list.
        urls = service if isinstance(service, str) else ",".join(service)
        return os.fspath(creds), urls
    except (ValueError, AttributeError, TypeError):
        raise InputError("nsc returned no profile", where=ref) from None


def file_of(ref: str, environ: Mapping[str, str]) -> str:
    """The expanded path that `ref` (a path or `file://`) names, empty for every other reference.

    Raises:
        InputError: a variable in the path is not set.
    """
    return expand(_rest(ref), environ) if ref and scheme_of(ref) in ("", "file") else ""


def expand(path: str, environ: Mapping[str, str]) -> str:
    """`path` with `$VAR`, `${VAR}` and then a leading `~` replaced.

    Raises:
        InputError: a variable that is not set; the Go CLI would look for a file of another name. Or no path at all.
    """
    if "\0" in path:
        raise InputError("not a path: it has a NUL character", where=path)
    if "$" in path:
        import re

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name not in environ:
                raise InputError(f"variable ${name} is not set", where=path)
            return environ[name]

        path = re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, path, flags=re.ASCII)
    if path == "~" or path.startswith("~/"):
        return home_folder(environ) + path[1:]
    return os.path.expanduser(path)


def embedded(ref: str, environ: Mapping[str, str], *, is_path: bool) -> str:
    """The file that `ref` names as a `data:` value; any other reference and literal value stays as it is.

    A bare value that is no path by itself (`is_path`) is one when a file has that name.

    Raises:
        InputError: the file cannot be read.
    """
    scheme = scheme_of(ref)
    if not ref or scheme not in ("", "file") or not (scheme or is_path or _names_a_file(ref, environ)):
        return ref
    from base64 import b64encode

    return f"data:;base64,{b64encode(_read(expand(_rest(ref), environ))).decode()}"


def _names_a_file(ref: str, environ: Mapping[str, str]) -> bool:
    try:
        return os.path.isfile(expand(ref, environ))
    except InputError:
        return False  # a literal value may well hold a $


def describe(ref: str) -> str:
    """`ref` as it may be shown: embedded data is not."""
    return "embedded data" if scheme_of(ref) == "data" else ref


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """The path of the program `name`, empty if it is not on `PATH`."""
    from shutil import which

    return which(name, path=environ.get("PATH", os.defpath)) or ""


def _rest(ref: str) -> str:
    return ref.partition("://")[2] if scheme_of(ref) not in ("", "data") else ref


def _fetch(scheme: str, ref: str, environ: Mapping[str, str]) -> bytes:
    if scheme == "env":
        name = _rest(ref)
        if not environ.get(name):
            state = "is empty" if name in environ else "is not set"
            raise InputError(f"variable {name} {state}" if name else "env:// without a name", where=ref)
        return exact_bytes(environ[name])
    if scheme == "op":
        return _run(["op", "read", f"op://{_rest(ref)}"], ref, environ)
    if scheme == "nsc":
        creds, _ = nsc_profile(ref, environ)
        if not creds:
            raise InputError("nsc has no credentials file for it", where=ref)
        return _read(creds)
    return _decode(ref)


def _decode(ref: str) -> bytes:
    from base64 import b64decode

    header, comma, payload = ref[len("data:") :].partition(",")
    if not comma or "base64" not in [part.strip() for part in header.split(";")]:
        raise InputError("embedded credentials must look like data:;base64,...")
    try:
        return b64decode("".join(payload.split()), validate=True)
    except ValueError:
        raise InputError("embedded credentials are not valid base64") from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not a path").lower()
        raise InputError(f"cannot read the file: {reason}", where=path) from None


def is_pipe(ref: str, environ: Mapping[str, str]) -> bool:
    """Whether `ref` names a pipe, such as `<(...)` in a shell: what is read from one is gone."""
    try:
        path = file_of(ref, environ)
    except InputError:
        return False
    return bool(path) and _is_pipe(path)


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


#: Programs that run now; in threads, when many contexts are asked for.
_running: set[Popen[bytes]] = set()


def end_programs() -> None:
    """End the programs that were asked and have not answered, before this program ends."""
    for process in list(_running):
        process.kill()


def _run(command: list[str], ref: str, environ: Mapping[str, str]) -> bytes:
    """The output of an external program, run without a shell and for no longer than `TIME_LIMIT`."""
    import subprocess

    name = command[0]
    program = find_program(name, environ)
    if not program:
        owner = {"op": "the 1Password CLI", "nsc": "the NATS account tool"}[name]
        raise InputError(
            f"{name!r} ({owner}) is not on PATH", where=ref, hint=f"install {name}, then try again"
        )
    process = subprocess.Popen(
        [program, *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environ),
    )
    _running.add(process)
    try:
        output, errors = process.communicate(timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise InputError(f"{name!r} did not answer within {TIME_LIMIT:g}s", where=ref) from None
    finally:
        # Also when interrupted. Not waiting for the pipes to close: a grandchild may hold them open.
        process.kill()
        _running.discard(process)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.wait()
    if process.returncode:
        raise InputError(
            f"{name!r} failed with status {process.returncode}{_reason(errors, output)}", where=ref
        )
    return output


def _reason(errors: bytes, output: bytes) -> str:
    """The first line of a failed program's stderr, unless it holds something of its output, which may be secret."""
    from natscli.secrets.redaction import redact_shapes

    lines = [line.strip() for line in for_programs(errors).splitlines() if line.strip()]
    words = [word for word in for_programs(output).split() if len(word) > 3]
    if not lines or any(word in lines[0] for word in words):
        return ""
    return f": {redact_shapes(lines[0])}"
