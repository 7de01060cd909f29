"""TLS files become an SSL context."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from natscli.contexts import credentials
from natscli.errors import InputError
from natscli.wire.trust import lenient

if TYPE_CHECKING:
    import ssl

    from natscli.settings import Settings, Value


def may_change(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether there are TLS files that can be read again: pipes cannot."""
    files = [file.value for file in (settings.tlsca, settings.tlscert, settings.tlskey) if file]
    return bool(files) and not any(credentials.is_pipe(file, environ) for file in files)


def tls_context(settings: Settings, environ: Mapping[str, str]) -> ssl.SSLContext | None:
    """What the TLS files of `settings` ask for; None if there are none.

    Raises:
        InputError: a file that cannot be used, or a certificate without its key.
    """
    if not (settings.tlsca or settings.tlscert or settings.tlskey):
        return None
    import ssl

    if bool(settings.tlscert) != bool(settings.tlskey):
        given = settings.tlscert or settings.tlskey
        raise InputError("a TLS certificate and its key go together", where=given.source)
    context = lenient(ssl.create_default_context())

    def use(load: Callable[..., None], *files: Value[str]) -> None:
        paths = [credentials.resolve_path(file.value, environ) for file in files]
        try:
            load(*paths)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not PEM"
            reason = "not PEM, or encrypted" if "PEM lib" in reason else _in_words(reason)
            raise InputError(f"cannot use {' with '.join(paths)}: {reason}", where=files[0].source) from None

    if settings.tlsca:
        use(context.load_verify_locations, settings.tlsca)
    if settings.tlscert:
        # Without a password OpenSSL would ask for one.
        use(partial(context.load_cert_chain, password=""), settings.tlscert, settings.tlskey)
    return context


def _in_words(reason: str) -> str:
    """What OpenSSL says, `[X509: KEY_VALUES_MISMATCH] key values mismatch (_ssl.c:4061)`, without its own names."""
    if "_MISMATCH]" in reason:
        return "the key is not that of the certificate"
    return re.sub(r"^\[[^]]*\] ?|\s*\(_ssl\.c:\d+\)$", "", reason)
