"""pynats: NATS request/reply for the terminal, and the same contexts for Python scripts.

Importing this package costs next to nothing: `connect` and `load_context` are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from natscli.api import connect, load_context

__version__ = "0.1.0"
__all__ = ["__version__", "connect", "load_context"]


def __getattr__(name: str) -> Any:
    if name in ("connect", "load_context"):
        from natscli import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
