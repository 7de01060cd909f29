"""Imports nats-py without what a request or a reply never uses.

nats-py imports its JetStream half, aiohttp where it is installed, and `importlib.metadata` to find its own version:
together more than the rest of a `pynats request`. Here the first two are executed when they are first used
(`system/lazy.py`), and the version is read from the name of the `.dist-info` folder beside the package.

What is used of it besides its public names is listed here too, and compared with what is there: see `differences`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import PathFinder
from types import ModuleType

from natscli.system.lazy import LazyFinder

#: Modules that nats-py imports, and most connections never use.
_LATER = ("nats.js", "aiohttp", "multidict")


def _installed_version(distribution: str) -> str:
    """As `importlib.metadata.version`, from a folder name if there is exactly one for `distribution`."""
    start = distribution.replace("-", "_") + "-"
    spec = PathFinder.find_spec("nats")
    for location in (spec and spec.submodule_search_locations) or ():
        found = [
            n
            for n in os.listdir(os.path.dirname(location))
            if n.startswith(start) and n.endswith(".dist-info")
        ]
        if len(found) == 1:
            return found[0][len(start) : -len(".dist-info")]
    sys.modules.pop("importlib.metadata", None)
    from importlib.metadata import version

    return version(distribution)


@contextmanager
def _light_imports() -> Iterator[None]:
    stand_in: ModuleType | None = None
    if "importlib.metadata" not in sys.modules:
        stand_in = ModuleType("importlib.metadata")
        stand_in.version = _installed_version  # type: ignore[attr-defined]
        sys.modules["importlib.metadata"] = stand_in
    try:
        with LazyFinder(_LATER):
            yield
    finally:
        if stand_in is not None and sys.modules.get("importlib.metadata") is stand_in:
            del sys.modules["importlib.metadata"]


with _light_imports():
    import nats.errors as errors
    from nats.aio.client import Client, Srv
    from nats.aio.client import __version__ as version
    from nats.aio.subscription import Subscription
    from nats.aio.transport import TcpTransport, WebSocketTransport
    from nats.protocol.parser import Parser


if sys.version_info < (3, 12):
    # Their `asyncio.wait_for` may lose a cancellation: a task that waits for a reply so never ends.
    from natscli.system.waiting import within

    _asyncio = ModuleType("asyncio")
    vars(_asyncio).update({**vars(asyncio), "wait_for": lambda work, timeout: within(timeout, work)})
    for _module in ("nats.aio.client", "nats.aio.subscription"):
        vars(sys.modules[_module])["asyncio"] = _asyncio

__all__ = [
    "Client",
    "Parser",
    "Srv",
    "TcpTransport",
    "WebSocketTransport",
    "differences",
    "errors",
    "version",
]

#: The names that a method must have or use, by class and method: parameters for one that is called or overridden, and
#: for one that is relied on as it is, what it goes through. `__init__` makes the attributes.
Names = Mapping[type, Mapping[str, str]]
_PARAMETERS: Names = {
    Client: {
        "_attempt_reconnect": "self",
        "_close": "self status do_cbs",
        "_connect_command": "self",
        "_connect_to_server": "self s",
        "_flush_pending": "self force_flush",
        "_flusher": "self",
        "_ping_interval": "self",
        "_process_connect_init": "self",
        "_process_err": "self err_msg",
        "_process_info": "self info initial_connection",
        "_process_msg": "self sid subject reply data headers",
        "_process_op_err": "self e",
        "_process_ping": "self",
        "_process_pong": "self",
        "_read_loop": "self",
        "_send_ping": "self future",
        "_setup_nkeys_connect": "self",
    },
    Parser: {"__init__": "self nc", "parse": "self data", "reset": "self"},
    TcpTransport: {
        "__bool__": "self",
        "connect": "self uri buffer_size connect_timeout",
        "connect_tls": "self uri ssl_context buffer_size connect_timeout",
        "drain": "self",
        "read": "self buffer_size",
        "write": "self payload",
        "writelines": "self payload",
    },
}
_USES: Names = {
    Client: {
        "__init__": "_auth_configured _client_id _client_ip _current_server _disconnected_cb _err _error_cb "
        "_flush_queue _flush_timeout _flusher_task _max_payload _max_pending_size _nkeys_seed_str _pending "
        "_pending_data_size _ping_interval_task _pings_outstanding _pongs _pongs_received _ps _reading_task "
        "_reconnected_cb _reconnection_task _server_info _server_pool _signature_cb _status _subs _transport "
        "_user_credentials _user_jwt_cb",
        "_attempt_reconnect": "_connect_to_server _process_connect_init",
        "_connect_command": "_auth_configured _server_info _signature_cb _user_jwt_cb",
        "_close": "_flusher_task _reading_task _reconnection_task _transport",
        "_flusher": "_flush_queue _pending _pending_data_size _transport writelines",
        "_process_op_err": "_ps reset",
        "_read_loop": "_ps parse _process_op_err _transport read",
        "_select_next_server": "_connect_to_server _current_server _server_pool",
    },
    Parser: {"reset": "buf"},
    Srv: {"__init__": "uri discovered tls_name server_version"},
    Subscription: {"__init__": "_id _max_msgs _queue _received _subject"},
    TcpTransport: {"__init__": "_bare_io_reader _bare_io_writer _io_reader _io_writer"},
    WebSocketTransport: {
        "__init__": "_client _using_tls _ws",
        "close": "_ws",
        "_get_custom_headers": "_ws_headers",
    },
}


def differences(parameters: Names = _PARAMETERS, uses: Names = _USES) -> frozenset[str]:
    """What is not as it is relied on: `Class.method`, or `Class.name` for what a method does not use."""
    found = set()
    for owner, methods in parameters.items():
        for method, names in methods.items():
            code = getattr(getattr(owner, method, None), "__code__", None)
            if code is None or code.co_varnames[: code.co_argcount] != tuple(names.split()):
                found.add(f"{owner.__name__}.{method}")
    for owner, methods in uses.items():
        for method, names in methods.items():
            code = getattr(getattr(owner, method, None), "__code__", None)
            missing = set(names.split()).difference(code.co_names if code is not None else ())
            found.update(f"{owner.__name__}.{name}" for name in missing)
    return frozenset(found)
