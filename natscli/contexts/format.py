"""The context file format (ADR-21): parse it as leniently as the Go CLI, write it byte for byte as it does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from math import isfinite
from types import MappingProxyType
from typing import Any

from natscli.contexts.credentials import scheme_of
from natscli.contexts.kinds import Holds, deciding, keys, used
from natscli.errors import InputError
from natscli.frozen import Frozen
from natscli.secrets.redaction import MASK, names_a_secret, redact_shapes
from natscli.text import for_programs, mended


class Context(Frozen):
    """A named set of connection settings: the keys of the file in the order the Go CLI writes them."""

    description: str = ""
    url: str = ""
    socks_proxy: str = ""
    token: str = ""
    user: str = ""
    password: str = ""
    creds: str = ""
    nkey: str = ""
    cert: str = ""
    key: str = ""
    ca: str = ""
    nsc: str = ""
    jetstream_domain: str = ""
    jetstream_api_prefix: str = ""
    jetstream_event_prefix: str = ""
    inbox_prefix: str = ""
    user_jwt: str = ""
    user_seed: str = ""
    color_scheme: str = ""
    tls_first: bool = False
    windows_cert_store: str = ""
    windows_cert_match_by: str = ""
    windows_cert_match: str = ""
    windows_ca_certs_match: tuple[str, ...] | None = None
    #: Keys of newer versions or other tools; kept when the file is rewritten.
    extra: Mapping[str, Any] = MappingProxyType({})

    def __repr__(self) -> str:
        # A traceback or a log may show this, so it never shows the values of credentials.
        kinds = ", ".join(credential_kinds(self)) or "no credentials"
        return f"<Context {redact_urls(self.url)!r} ({kinds})>"


#: The server when none is given; the Go CLI writes it into a context made without one.
DEFAULT_URL = "nats://127.0.0.1:4222"

#: The known keys in file order.
KEYS = tuple(name for name in Context.field_names() if name != "extra")

#: Keys whose value is a secret, unless it is a reference to one.
SECRET_KEYS = frozenset(keys(Holds.SECRET))

#: Keys that hold a path or a reference, but may hold the credentials themselves as `data:;base64,...`.
_LOCATIONS = frozenset(keys(Holds.FILE))

#: What a server in a list of URLs looks like.
_PLACE = (
    r"(?:[^/?#]*@)?(?:\[[^\]@,]*\]|[^\s:@,/?#\[\]]*|[0-9A-Fa-f:.]*::[0-9A-Fa-f:.]*(?:%\w+)?)(?::\d{1,5})?"
)
_SERVER = rf"(?i)(?:[a-z+.-]+://)?{_PLACE}|wss?://{_PLACE}/.*"

#: How deep the values of unknown keys may be nested.
_DEEPEST = 64

_TYPES = {str: "text", bool: "true or false", tuple: "a list of texts"}


def parse(data: bytes, path: str) -> Context:
    """The context in the file contents `data`; `path` is only named in errors.

    As in Go, keys match in any case, null means not set, and invalid UTF-8 becomes U+FFFD.

    Raises:
        InputError: not JSON, not an object, or a value of the wrong type; names file, line and column.
    """
    text = mended(for_programs(data.removeprefix(b"\xef\xbb\xbf")))
    if not text.strip():
        raise InputError("the context file is empty", where=path)
    document = _document(text, path)
    if document is None:
        return Context()
    if not isinstance(document, dict):
        raise InputError(
            f"a context is a JSON object, not {_kind(document)}", where=f"{path}, line 1, column 1"
        )
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in document.items():
        key = name if name in KEYS else name.casefold()
        if key not in KEYS:
            extra[mended(name)] = _mended_all(value)
        elif value is not None:
            try:
                known[key] = _typed(key, value)
            except TypeError as error:
                raise InputError(str(error), where=f"{path}, {_place(text, name)}") from None
    return Context(**known, extra=extra)


def _document(text: str, path: str) -> Any:
    """The JSON value that `text` is. Raises InputError, as `parse` does."""
    try:
        document = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        _check_nesting(document, _DEEPEST)
    except json.JSONDecodeError as error:
        reason = error.msg[:1].lower() + error.msg[1:]
        where = f"{path}, line {error.lineno}, column {error.colno}"
        raise InputError(f"invalid JSON: {reason}", where=where) from None
    except (ValueError, RecursionError):
        raise InputError("invalid JSON: a number or the nesting is out of bounds", where=path) from None
    return document


def dump(context: Context) -> bytes:
    """The file contents for `context`, as Go's `json.MarshalIndent` writes them; unknown keys come last."""
    return encode(as_mapping(context))


def as_mapping(context: Context) -> dict[str, Any]:
    """Every key of the file with its value, in file order."""
    values = {key: getattr(context, key) for key in KEYS}
    values.update((k, v) for k, v in context.extra.items() if k.casefold() not in values)
    return values


def encode(value: Any) -> bytes:
    """Any JSON value with Go's indent and escapes.

    These characters can only be inside of strings, so they can be escaped in the whole text.
    """
    text = mended(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def credential_kinds(context: Context) -> tuple[str, ...]:
    """The kinds of credentials in the context, by their keys; more than one is an error when connecting (ADR-21).

    Own `creds` win over those that the legacy `nsc` key finds, so the two together are one kind. A token may
    go along with creds, an nkey or a JWT, as auth callout servers want it, but not with a user.
    """
    return tuple(kind.key for kind in deciding(used(lambda part: getattr(context, part.key))))


def redacted(context: Context) -> Context:
    """`context` with every secret masked; references such as `env://NAME` and paths stay."""
    shown = {key: redacted_value(key, getattr(context, key)) for key in KEYS}
    return context.replace(
        **shown, extra={k: _redacted_extra(v, secret=names_a_secret(k)) for k, v in context.extra.items()}
    )


def secrets(context: Context) -> Iterator[str]:
    """The literal secrets in `context`, for `Redactor.add`."""
    for key in sorted(SECRET_KEYS | _LOCATIONS):
        value = getattr(context, key)
        scheme = scheme_of(value)
        if scheme == "data":
            yield value.partition(",")[2]
        elif key in SECRET_KEYS and not scheme:
            yield value
    yield from url_secrets(context.url)
    yield from url_secrets(context.socks_proxy)


def split_urls(urls: str) -> list[str]:
    """The URLs in a list, separated by commas and perhaps blanks or line ends after them.

    A comma before an `@` is part of a login, unless a whole server stands before it: `a,bob:pw@b` are two.
    """
    found: list[str] = []
    for part in re.split(r",\s+|,(?=[A-Za-z0-9+.-]+://)", urls) if "," in urls else [urls]:
        rest: str | None = part
        while rest is not None:
            url = _first_url(rest)
            found.append(url.strip())
            rest = rest[len(url) + 1 :] if len(url) < len(rest) else None
    return found


def _first_url(urls: str) -> str:
    for comma in re.finditer(",", urls):
        before = urls[: comma.start()]
        login, at, _ = urls[comma.end() :].partition("@")
        # Nothing tells `host:1,token@b` from a login with a comma: as that it is never shown.
        if not at or (("@" in before or ":" in login) and re.fullmatch(_SERVER, before)):
            return before
    return urls


def has_login(urls: str) -> bool:
    """Whether any of these URLs has a user or a token in it."""
    return "@" in urls and any(
        userinfo.partition(":")[0] for _, userinfo, _ in map(_url_parts, split_urls(urls))
    )


def url_secrets(urls: str) -> list[str]:
    """What must not be shown of URLs: user and password or token, as written and decoded."""
    from urllib.parse import unquote

    infos = [userinfo for _, userinfo, _ in map(_url_parts, split_urls(urls)) if userinfo]
    found = [part for info in infos for part in (info, info.partition(":")[2]) if part]
    return found + [unquote(part) for part in found if "%" in part]


def redact_urls(urls: str) -> str:
    """Comma-separated URLs without user, password or token; also those without a scheme."""
    parts = map(_url_parts, split_urls(urls))
    return ",".join(f"{scheme}{MASK}@{rest}" if info else scheme + rest for scheme, info, rest in parts)


def _url_parts(url: str) -> tuple[str, str, str]:
    """The scheme with its `://`, the userinfo and the rest."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    userinfo, _, rest = rest.rpartition("@")
    return scheme + separator, userinfo, rest


def redacted_value(key: str, value: Any) -> Any:
    """The value of a key as it may be shown: without secrets."""
    if not isinstance(value, str) or not value:
        return value
    scheme = scheme_of(value)
    if scheme == "data" and key in SECRET_KEYS | _LOCATIONS:
        return f"data:;base64,{MASK}"
    if key in SECRET_KEYS:
        return value if scheme else MASK
    if key in ("url", "socks_proxy"):
        return redact_urls(value)
    return redact_shapes(value)


def _redacted_extra(value: Any, *, secret: bool) -> Any:
    """The value of an unknown key, which is `secret` by its name or by that of an object around it."""
    if isinstance(value, Mapping):
        return {k: _redacted_extra(v, secret=secret or names_a_secret(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_redacted_extra(item, secret=secret) for item in value]
    if isinstance(value, str) and value:
        return MASK if secret and scheme_of(value) in ("", "data") else redact_shapes(value)
    return MASK if secret and type(value) in (int, float) else value


def _typed(key: str, value: Any) -> Any:
    """`value` as the type of the field `key`; TypeError with a message for people if it is not that."""
    if key == "windows_ca_certs_match":
        if isinstance(value, list) and all(item is None or isinstance(item, str) for item in value):
            return tuple(mended(item or "") for item in value)
        expected: type = tuple
    elif key == "tls_first":
        if isinstance(value, bool):
            return value
        expected = bool
    else:
        if isinstance(value, str):
            return mended(value)
        expected = str
    raise TypeError(f"{key!r} must be {_TYPES[expected]}, not {_kind(value)}")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    names = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def _place(text: str, name: str) -> str:
    """Line and column of the value of the key `name` in the JSON object `text`, in words."""
    from natscli.json_places import find, line_and_column

    line, column = line_and_column(text, find(text, len(text) - len(text.lstrip()), [name]))
    return f"line {line}, column {column}"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(literal: str) -> float:
    """Raises ValueError for a number that is JSON, but no float, and could not be written again."""
    value = float(literal)
    if not isfinite(value):
        raise ValueError(f"{literal} is too large")
    return value


def _check_nesting(value: Any, levels: int) -> None:
    """Raises ValueError if `value` is nested deeper than `levels`: it could be read, but not written again."""
    if isinstance(value, (dict, list)):
        if not levels:
            raise ValueError("nested too deeply")
        for item in value.values() if isinstance(value, dict) else value:
            _check_nesting(item, levels - 1)


def _mended_all(value: Any) -> Any:
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, list):
        return [_mended_all(item) for item in value]
    if isinstance(value, dict):
        return {mended(k): _mended_all(v) for k, v in value.items()}
    return value
