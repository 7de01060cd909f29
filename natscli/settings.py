"""Connection settings: flags > environment > context > default, as one pure function, with where each is from."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from natscli.contexts.format import DEFAULT_URL, has_login, redacted_value, split_urls, url_secrets
from natscli.contexts.kinds import KINDS, PARTS, Holds, Kind, deciding, used
from natscli.contexts.urls import complete_url
from natscli.duration import parse_duration
from natscli.errors import InputError
from natscli.frozen import Frozen

if TYPE_CHECKING:
    from natscli.contexts.format import Context
    from natscli.contexts.store import ContextStore

T = TypeVar("T")

DEFAULT_TIMEOUT = 5.0


class Value(Frozen, Generic[T]):
    """A setting and where it came from: a flag, a variable, a context or `default`.

    A value that was resolved has the `reference` to it, to resolve it again; that of a context is the URL it had.
    """

    value: T
    source: str = "default"
    reference: str = ""

    def __bool__(self) -> bool:
        return bool(self.value)


#: A setting that was not given.
_NOTHING = Value("")


class Settings(Frozen):
    """Everything that is needed to connect. Credentials may still be references, see contexts/credentials.

    Its repr shows what is set and where it is from, but no secret.
    """

    server: Value[str] = Value(DEFAULT_URL)
    user: Value[str] = _NOTHING
    password: Value[str] = _NOTHING
    token: Value[str] = _NOTHING
    creds: Value[str] = _NOTHING
    nkey: Value[str] = _NOTHING
    nsc: Value[str] = _NOTHING
    jwt: Value[str] = _NOTHING
    seed: Value[str] = _NOTHING
    tlscert: Value[str] = _NOTHING
    tlskey: Value[str] = _NOTHING
    tlsca: Value[str] = _NOTHING
    tlsfirst: Value[bool] = Value(False)
    inbox_prefix: Value[str] = _NOTHING
    socks_proxy: Value[str] = _NOTHING
    connection_name: Value[str] = _NOTHING
    timeout: Value[float] = Value(DEFAULT_TIMEOUT)
    context: Value[str] = _NOTHING

    def __repr__(self) -> str:
        given = ((name, getattr(self, name)) for name in self.field_names())
        shown = [
            f"{name}={redacted_value(CONTEXT_KEYS.get(name, name), setting.value)!r} ({setting.source})"
            for name, setting in given
            if setting
        ]
        return f"<Settings {', '.join(shown)}>"

    @property
    def secrets(self) -> list[str]:
        """The secret values, or the references to them."""
        urls = url_secrets(self.server.value) + url_secrets(self.socks_proxy.value)
        given = {part: getattr(self, part.setting).value for part in PARTS}
        secrets = [value for part, value in given.items() if value and part.holds is Holds.SECRET]
        embedded = [v for p, v in given.items() if p.holds is Holds.FILE and v.startswith("data:")]
        return [*secrets, *(value.partition(",")[2] for value in embedded), *urls]

    @property
    def given(self) -> dict[str, str]:
        """What was given, by its field here, and where: a flag, a variable or a context."""
        values = ((name, getattr(self, name)) for name in self.field_names())
        return {name: value.source for name, value in values if value and value.source != "default"}

    @property
    def servers(self) -> list[str]:
        """The server URLs, completed; see `complete_url`."""
        return _completed(self.server.value, self.server.source)


def _completed(urls: str, source: str) -> list[str]:
    return [complete_url(url, source) for url in split_urls(urls) if url]


#: Environment variables, the same as the Go CLI's.
VARIABLES = {
    "server": "NATS_URL",
    **{part.setting: part.variable for part in PARTS if part.variable},
    "tlscert": "NATS_CERT",
    "tlskey": "NATS_KEY",
    "tlsca": "NATS_CA",
    "timeout": "NATS_TIMEOUT",
    "socks_proxy": "NATS_SOCKS_PROXY",
}

#: Settings and the keys of a context file (ADR-21) that hold them.
CONTEXT_KEYS = {
    "server": "url",
    **{part.setting: part.key for part in PARTS},
    "tlscert": "cert",
    "tlskey": "key",
    "tlsca": "ca",
    "tlsfirst": "tls_first",
    "inbox_prefix": "inbox_prefix",
    "socks_proxy": "socks_proxy",
}


def resolve(
    flags: Mapping[str, Any], environ: Mapping[str, str], store: ContextStore, *, context: str | None = None
) -> Settings:
    """Settings from what was given: `flags` by name, variables, and the context they or the store select.

    `context` names one to use whatever was given or selected.

    Raises:
        InputError: an unknown or broken context, two kinds of credentials at once, a bad value.
    """
    name = Value(context, "argument") if context else _context_name(flags, environ, store)
    if name.source == "selected":
        _check_selected(name.value, store)
    loaded = store.load(name.value) if name else None
    return merge(flags, environ, loaded, name)


def _check_selected(name: str, store: ContextStore) -> None:
    """Refuse a selection that names no context, with the command that ends it."""
    try:
        known = store.exists(name)
    except InputError as error:
        error.hint = error.hint or "pynats context unselect"
        raise
    if not known:
        raise InputError(f"the selected context {name!r} does not exist", hint="pynats context unselect")


def _context_name(flags: Mapping[str, Any], environ: Mapping[str, str], store: ContextStore) -> Value[str]:
    if flags.get("context"):
        return Value(flags["context"], "--context")
    if flags.get("no_context"):
        return Value("")
    if environ.get("NATS_CONTEXT"):
        return Value(environ["NATS_CONTEXT"], "NATS_CONTEXT")
    selected = store.selected()
    return Value(selected, "selected") if selected else Value("")


def merge(
    flags: Mapping[str, Any], environ: Mapping[str, str], context: Context | None, name: Value[str]
) -> Settings:
    """`resolve` without the store: the settings of each layer, the highest layer first."""
    layers: list[dict[str, Value[Any]]] = [
        {k: Value(v, f"--{k.replace('_', '-')}") for k, v in flags.items() if v not in (None, "")},
        {k: Value(environ[v], v) for k, v in VARIABLES.items() if environ.get(v)},
    ]
    if context is not None:
        layers.append(_layer_of(context, name))
        name = name.replace(reference=context.url)
    chosen = _credentials(layers)
    for setting in ("server", "tlscert", "tlskey", "tlsca", "tlsfirst", "inbox_prefix", "socks_proxy",
                    "connection_name", "timeout"):  # fmt: skip
        value = next((layer[setting] for layer in layers if setting in layer), None)
        if value is not None:
            chosen[setting] = value
    if isinstance(chosen.get("timeout", Value(0.0)).value, str):
        chosen["timeout"] = _duration(chosen["timeout"])
    if not 0 < chosen.get("timeout", Value(1.0)).value < inf:
        raise InputError("a timeout must be more than 0", where=chosen["timeout"].source)
    return Settings(**chosen, context=name)


def _layer_of(context: Context, name: Value[str]) -> dict[str, Value[Any]]:
    keys = {k: getattr(context, key) for k, key in CONTEXT_KEYS.items()}
    return {k: Value(v, _source_of(name)) for k, v in keys.items() if v}


def _source_of(context: Value[str]) -> str:
    return f"context {context.value!r}"


def renewed(settings: Settings, store: ContextStore) -> Settings:
    """`settings` with the credentials that their context has now; of flags and variables nothing changes.

    The servers stay those that they are: credentials that the context has for others by now are not used.

    Raises:
        InputError: the context cannot be read, has credentials of two kinds, or is for other servers now.
    """
    source = _source_of(settings.context)
    given = {part.setting: value for part in PARTS if (value := getattr(settings, part.setting))}
    own = {name: value for name, value in given.items() if value.source != source}
    # The servers that `nsc` has go with its credentials.
    if not settings.context or (own and len(own) == len(given)) or settings.server.source == "nsc":
        return settings
    context = store.load(settings.context.value)
    server, below = settings.server, _layer_of(context, settings.context)
    then, now = (_completed(url or DEFAULT_URL, source) for url in (settings.context.reference, context.url))
    if then != now or (server.source == "default" and below.get("nsc", _NOTHING) != settings.nsc):
        raise InputError(f"{source} is for other servers now")
    if server.source not in ("default", source):
        own["server"] = server
    return settings.replace(**(dict.fromkeys(given, _NOTHING) | _credentials([own, below])))


def _duration(value: Value[str]) -> Value[float]:
    try:
        return Value(parse_duration(value.value), value.source)
    except ValueError as error:
        raise InputError(str(error), where=value.source) from None


def _credentials(layers: list[dict[str, Value[Any]]]) -> dict[str, Value[Any]]:
    """The credentials to use: the highest layer that names a kind decides it, lower ones fill in its parts.

    A login in the server URLs keeps those of lower layers from servers that they are not meant for. `--user X` without
    a password anywhere is a token, as in the Go CLI.
    """
    kinds = next(filter(None, map(_kinds_of, _down_to_a_login(layers))), [])
    chosen: dict[str, Value[Any]] = {}
    for part in (part for kind in kinds for part in kind.parts):
        value = next((layer[part.setting] for layer in layers if part.setting in layer), None)
        if value is not None:
            chosen[part.setting] = value
    if "user" in chosen and "password" not in chosen:
        chosen["token"] = chosen.pop("user")
    for kind in () if kinds else KINDS:
        for part in kind.parts[1:]:
            if part.setting in layers[0]:
                source = layers[0][part.setting].source
                raise InputError(f"--{part.setting} without --{kind.name}", where=source)
    return chosen


def _down_to_a_login(layers: list[dict[str, Value[Any]]]) -> list[dict[str, Value[Any]]]:
    """The layers down to that of the server URLs, if there is a login in them; else all."""
    for index, layer in enumerate(layers):
        if "server" in layer:
            return layers[: index + 1] if has_login(layer["server"].value) else layers
    return layers


def _kinds_of(layer: dict[str, Value[Any]]) -> list[Kind]:
    """The kinds of credentials that a layer names. Raises InputError for kinds that exclude each other."""
    kinds = used(lambda part: part.setting in layer)
    clash = [kind.name for kind in deciding(kinds)]
    if len(clash) > 1:
        sources = dict.fromkeys(layer[name].source for name in clash)
        raise InputError(
            f"credentials of two kinds at once: {' and '.join(clash)}", where=" and ".join(sources)
        )
    return kinds
