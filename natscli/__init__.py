"""pynats: NATS request/reply for the terminal, and the same contexts for Python scripts.

Importing this package costs next to nothing: each name is imported when first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it, which is not imported for that
if TYPE_CHECKING:
    from typing import Any

    from natscli.api import connect, load_context
    from natscli.errors import ConnectionFailedError, InputError, PynatsError, RefusedError
    from natscli.handling import Reply, Request, ServiceError, endpoint

__version__ = "0.2.0"
__all__ = [
    "ConnectionFailedError",
    "InputError",
    "PynatsError",
    "RefusedError",
    "Reply",
    "Request",
    "ServiceError",
    "__version__",
    "connect",
    "endpoint",
    "load_context",
]

#: The modules of the public names that are imported when first used.
_MODULES = {
    "connect": "natscli.api",
    "load_context": "natscli.api",
    **dict.fromkeys(("Reply", "Request", "ServiceError", "endpoint"), "natscli.handling"),
    **dict.fromkeys(("ConnectionFailedError", "InputError", "PynatsError", "RefusedError"), "natscli.errors"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
