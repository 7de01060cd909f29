"""For the tests of others: a pytest plugin with real servers, responders and mocks. No dependency but pytest.

The classes are for annotations: `NatsServer`, `TestResponder`, and `AnsweredRequest`, of which `answered` is a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from natscli.testing.responder import AnsweredRequest, TestResponder
    from natscli.testing.server import NatsServer

__all__ = ["AnsweredRequest", "NatsServer", "TestResponder"]
_MODULES = {"AnsweredRequest": "responder", "TestResponder": "responder", "NatsServer": "server"}


def __getattr__(name: str) -> Any:
    """Import what is used when it is used: the plugin is loaded in runs of pytest that use nothing of it."""
    if name not in _MODULES:
        raise AttributeError(f"module 'natscli.testing' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"natscli.testing.{_MODULES[name]}"), name)
