"""What servers say of who gets what is sent to a subject, and whether that is nobody but watchers: pure.

The law of this file: nobody is there only if that is known. A server lists a leaf node as a subscriber like a client,
and that may be nothing but the interest of the watcher itself, passed on. So each leaf node must be accounted for:

- the trace passed it, every server that the trace went to has reported, and only watchers would get it there; or
- it leads to the watcher, whose own inbox it subscribes to, and the trace went nowhere near its server.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, NamedTuple

from natscli.message.subjects import IMPORTERS
from natscli.watch.options import WATCHER

#: Events of a trace that are a way to somebody whom CONNZ does not know: an import, a stream, a mapping.
_ELSEWHERE = frozenset({"si", "se", "js", "sm"})
#: Kinds of connections in a trace.
_CLIENT, _LEAF_NODE = 0, 4
#: Where inboxes are of requests that came through the import of a service from another account: they are answered here.
_SERVED = IMPORTERS.removesuffix(">").encode()
#: Characters of a token from which on it names one requester.
_LONG = 16


def requester_of(reply: bytes) -> bytes:
    """What the inboxes of a requester have in common, or the inbox; nothing, if the request is to be answered here."""
    if reply.startswith(_SERVED):
        return b""
    first = reply.rpartition(b".")[0]
    return first if len(first.rpartition(b".")[2]) >= _LONG else reply


class Identity(NamedTuple):
    """A connection as its server knows it: the id of the server, and the number of the connection there."""

    server: str
    connection: int

    @classmethod
    def of(cls, info: dict[str, Any]) -> Identity:
        """That of the connection whose server has sent `info`."""
        return cls(str(info.get("server_id", "")), int(info.get("client_id") or 0))


class Question:
    """A subject that is asked about, and what the servers have said so far. `leaf_nodes` are those that subscribe."""

    def __init__(self, subject: bytes) -> None:
        self.subject = subject
        self.forbidden = False
        self.leaf_nodes: set[Identity] = set()
        #: For each requester what to call if nobody is there.
        self.if_none: list[tuple[bytes, Callable[[], None]]] = []
        self._listed = self._somebody = False
        #: The hops of the servers that reported, and those that they passed it on to.
        self._reported: set[str] = set()
        self._onward: set[str] = set()
        self._servers: set[str] = set()
        self._passed: set[Identity] = set()
        self._unsure = False

    def take(self, data: dict[str, Any], own: Identity) -> None:
        """Take the answer of a server: a list of connections, or a trace; `own` is that of the watcher.

        Raises:
            LookupError, TypeError, ValueError, AttributeError: it is neither.
        """
        if "events" in data:
            self._take_trace(data, own)
            return
        server, connections = data["server"]["id"], data["data"]["connections"]
        self._listed = True
        for connection in connections:
            identity = Identity(server, connection["cid"])
            if connection.get("kind") == "Leafnode":
                self.leaf_nodes.add(identity)
            elif identity != own and not connection.get("name", "").startswith(WATCHER):
                self._somebody = True

    @property
    def anybody(self) -> bool:
        """Whether somebody subscribes who is no watcher, or may be behind a leaf node."""
        return self._somebody or bool(self.leaf_nodes)

    def nobody(self, leading: Set[Identity]) -> bool:
        """Whether only watchers subscribe; `leading` are the leaf nodes that lead to this one."""
        if self._somebody or not self._listed or not self._reported:
            return False
        if not self.leaf_nodes:
            return True
        if self._unsure or not {"", *self._onward} <= self._reported:
            return False
        unaccounted = self.leaf_nodes - self._passed
        return unaccounted <= leading and all(leaf.server not in self._servers for leaf in unaccounted)

    def _take_trace(self, data: dict[str, Any], own: Identity) -> None:
        server = data["server"]["id"]
        [hop, *_] = (data["request"].get("header") or {}).get("Nats-Trace-Hop") or [""]
        self._reported.add(hop)
        self._servers.add(server)
        for event in data["events"]:
            kind, identity = event.get("kind"), Identity(server, event.get("cid"))
            self._somebody |= event["type"] in _ELSEWHERE
            if event["type"] == "in":
                self.forbidden |= "error" in event
            if event["type"] in ("in", "eg") and kind == _LEAF_NODE:
                self._passed.add(identity)
            if event["type"] == "eg" and kind == _CLIENT:
                self._unsure |= identity != own and not event.get("name", "").startswith(WATCHER)
            elif event["type"] == "eg":
                self._onward.add(event.get("hop", ""))
                self._unsure |= "error" in event or not event.get("hop")
