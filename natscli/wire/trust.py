"""What is asked of a server's certificate: the same with every Python, and what Go asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl


def lenient(context: ssl.SSLContext) -> ssl.SSLContext:
    """`context` that comes to the verdict of Go, and to the same with every Python.

    Python 3.13 asks for extensions that RFC 5280 wants and small authorities leave out, and trusts an intermediate
    authority that is named; the Pythons before it do neither.
    """
    import ssl

    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


class LenientTLS:
    """A client of nats-py whose `ssl_context` is a lenient one, also the one that it makes by itself."""

    @property
    def ssl_context(self) -> Any:
        """The context for TLS."""
        return lenient(super().ssl_context)  # type: ignore[misc]
