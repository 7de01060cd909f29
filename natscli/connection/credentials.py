"""What the client logs in with: credentials become nats-py's options, and are read again before each connect."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from natscli.contexts import credentials
from natscli.contexts.kinds import KINDS, PARTS, Holds
from natscli.errors import InputError
from natscli.frozen import Frozen

if TYPE_CHECKING:
    from natscli.contexts.creds import Creds
    from natscli.contexts.validity import Validity
    from natscli.environment import Environment
    from natscli.settings import Settings, Value


class Credentials:
    """The credentials of a run: `options` are nats-py's, as they were last read; `servers` the URLs `nsc` has for them.

    Every file and reference is read again with `renew`, and the context too with `renew_context`, so that credentials
    which were renewed meanwhile are used.

    Raises:
        InputError: a reference that cannot be resolved, or credentials that cannot be used.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._given = with_references(settings)
        settings = _without_pipes(settings, environ)
        read = _read(settings, environ)
        self.options: dict[str, Any] = read.options
        self.servers = read.servers
        self._environ = environ
        self._jwt = read.jwt
        self._hide: Callable[..., object] = lambda *secrets: None
        self._settings = with_references(settings)
        self._of_context: Callable[[Settings], Settings] = lambda settings: settings
        #: Why the context could not be read again the last time; then what it had is used.
        self.problem: Exception | None = None

    def renew_context(self, of_context: Callable[[Settings], Settings]) -> None:
        """Have `renew` use `of_context`, which gives settings with what their context has then."""
        self._of_context = of_context

    @property
    def can_change(self) -> bool:
        """Whether the credentials are read from a context or elsewhere, so that `renew` may find others."""
        return bool(self._settings.context) or self._is_read

    @property
    def _is_read(self) -> bool:
        values = ((part, getattr(self._settings, part.setting)) for part in PARTS)
        return any(_is_reference(part.holds, value.value) for part, value in values if value)

    @property
    def asked(self) -> str:
        """The program that is asked for them, or what they are read from."""
        settings = self._settings
        schemes = [credentials.scheme_of(v.value) for part in PARTS if (v := getattr(settings, part.setting))]
        if settings.nsc or "nsc" in schemes:
            return "nsc"
        return "op" if "op" in schemes else "what they are read from"

    def renew(self) -> dict[str, Any]:
        """Read everything again; gives the new `options`. It may run `op` or `nsc`: not for an event loop.

        Raises:
            InputError: as the class; then the options are as they were.
        """
        given, settings, self.problem = self._given, self._settings, None
        try:
            given = self._of_context(given)
        except (InputError, OSError) as error:
            self.problem = error
        if is_another := given != self._given:
            self._hide(*given.secrets)
            settings = given
        if is_another or self._is_read:
            read = _read(settings, self._environ)
            self.options, self._jwt = read.options, read.jwt
            self._given, self._settings = given, settings
            self._hide(*self._secrets())
        return self.options

    def hide_with(self, hide: Callable[..., object]) -> None:
        """Give `hide` every secret that is read, now and later, so that it is never shown."""
        self._hide = hide
        hide(*self._secrets())

    def _secrets(self) -> list[str]:
        return [
            self.options[name] for name in ("password", "token", "nkeys_seed_str") if name in self.options
        ]

    @property
    def validity(self) -> Validity:
        """When the user JWT is valid; without one always."""
        from natscli.contexts.validity import validity

        return validity(self._jwt)


class _Read(Frozen):
    """What was read of credentials: nats-py's options, the user JWT, and the URLs that `nsc` has for them."""

    options: dict[str, Any]
    jwt: str = ""
    servers: str = ""


def with_secrets(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """`settings` in which every reference is what it refers to: for processes that must not ask for it again.

    When they connect again they read the references, which are kept beside.

    Raises:
        InputError: a reference that cannot be resolved.
    """
    changes: dict[str, Any] = {}
    for part in PARTS:
        value: Value[str] = getattr(settings, part.setting)
        if not value or not _is_reference(part.holds, value.value):
            continue
        kept = "" if credentials.is_pipe(value.value, environ) else value.value
        if part.holds is Holds.SECRET:
            secret = credentials.resolve_literal(value.value, environ)
            plain = not credentials.scheme_of(secret)
            value = value.replace(value=secret if plain else _embedded(secret.encode()), reference=kept)
        elif part.holds is Holds.FILE:
            data = credentials.resolve_file(value.value, environ)
            value = value.replace(value=_embedded(data), reference=kept)
        else:
            path, urls = credentials.nsc_profile(value.value, environ)
            changes["creds"] = value.replace(
                value=_embedded(credentials.resolve_file(path, environ)), reference=path
            )
            if settings.server.source == "default":
                changes["server"] = value.replace(value=urls or settings.server.value, source="nsc")
            value = value.replace(value="")
        changes[part.setting] = value
    return settings.replace(**changes)


def without_programs(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """`settings` without the credentials that only `op`, `nsc` or whoever writes to a pipe has: to check the rest."""
    dropped = {
        part.setting: value.replace(value="")
        for part in PARTS
        if (value := getattr(settings, part.setting))
        and (
            part.holds is Holds.PROFILE
            or (part.holds is not Holds.NAME and credentials.scheme_of(value.value) in ("op", "nsc"))
            or (part.holds is Holds.FILE and credentials.is_pipe(value.value, environ))
        )
    }
    return settings.replace(**dropped)


def with_references(settings: Settings) -> Settings:
    """`settings` in which references that `with_secrets` has resolved are references again."""
    values = {part.setting: getattr(settings, part.setting) for part in PARTS}
    changes = {name: v.replace(value=v.reference, reference="") for name, v in values.items() if v.reference}
    return settings.replace(**changes)


def of_context(settings: Settings, environment: Environment) -> Settings:
    """`settings` with what their context has now, see `settings.renewed`."""
    from natscli.contexts.store import ContextStore
    from natscli.settings import renewed

    return renewed(settings, ContextStore(environment.config_dir))


def _is_reference(holds: Holds, value: str) -> bool:
    """Whether the value of a setting names where to read the credentials."""
    scheme = credentials.scheme_of(value)
    return holds is not Holds.NAME and scheme != "data" and (bool(scheme) or holds is not Holds.SECRET)


def _without_pipes(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """`settings` with the contents of pipes, which can be read only once."""
    changes: dict[str, Any] = {}
    for part in PARTS:
        value: Value[str] = getattr(settings, part.setting)
        if (
            value
            and _is_reference(part.holds, value.value)
            and part.holds is not Holds.PROFILE
            and credentials.is_pipe(value.value, environ)
        ):
            data = credentials.resolve_file(value.value, environ)
            changes[part.setting] = value.replace(value=_embedded(data))
    return settings.replace(**changes)


def _embedded(data: bytes) -> str:
    return f"data:;base64,{b64encode(data).decode()}"


def _read(settings: Settings, environ: Mapping[str, str]) -> _Read:
    options: dict[str, Any] = {}
    jwt = servers = ""
    for kind in KINDS:
        if getattr(settings, kind.name):
            read = _READERS[kind.name](settings, environ)
            options.update(read.options)
            jwt, servers = jwt or read.jwt, servers or read.servers
    return _Read(options, jwt, servers)


def _user(settings: Settings, environ: Mapping[str, str]) -> _Read:
    password = credentials.resolve_literal(settings.password.value, environ)
    return _Read({"user": settings.user.value, "password": password})


def _token(settings: Settings, environ: Mapping[str, str]) -> _Read:
    return _Read({"token": credentials.resolve_literal(settings.token.value, environ)})


def _creds(settings: Settings, environ: Mapping[str, str]) -> _Read:
    from natscli.contexts.creds import creds_of

    return _signing(creds_of(settings.creds.value, environ))


def _nkey(settings: Settings, environ: Mapping[str, str]) -> _Read:
    from natscli.contexts.creds import seed_of_file

    return _Read({"nkeys_seed_str": seed_of_file(settings.nkey.value, environ)})


def _nsc(settings: Settings, environ: Mapping[str, str]) -> _Read:
    from natscli.contexts.creds import creds_of

    path, urls = credentials.nsc_profile(settings.nsc.value, environ)
    return _signing(creds_of(path, environ)).replace(servers=urls)


def _jwt(settings: Settings, environ: Mapping[str, str]) -> _Read:
    from natscli.contexts.creds import Creds, check_pair, jwt_of, needs_seed, seed_of

    jwt = jwt_of(settings.jwt.value, environ, settings.jwt.source)
    seed = seed_of(settings.seed.value, environ, settings.seed.source) if settings.seed else ""
    left_out = settings.seed.source != "default"  # by `without_programs`
    if not seed and not left_out and needs_seed(jwt):
        hint = "--seed SEED; only the JWT of a bearer needs none"
        raise InputError("a user JWT without its nkey seed", where=settings.jwt.source, hint=hint)
    if seed:
        check_pair(jwt, seed, settings.seed.source)
    return _signing(Creds(jwt, seed))


def _signing(creds: Creds) -> _Read:
    """nats-py's options for a JWT and the seed to sign with; for a bearer's JWT without one."""
    if not creds.seed:
        return _Read({"user_jwt_cb": creds.jwt.encode, "signature_cb": lambda nonce: b""}, creds.jwt)
    from nats.aio.client import RawCredentials

    return _Read({"user_credentials": RawCredentials(creds.text)}, creds.jwt)


#: How nats-py takes each of the `KINDS`, by their names.
_READERS: dict[str, Callable[[Settings, Mapping[str, str]], _Read]] = {
    "user": _user,
    "token": _token,
    "creds": _creds,
    "nkey": _nkey,
    "nsc": _nsc,
    "jwt": _jwt,
}
