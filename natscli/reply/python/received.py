"""Requests as they come from the network."""

from __future__ import annotations

from typing import Any

from natscli.handling import Request


class ReceivedRequest(Request):
    """A request whose parts are those of a message; nothing is looked at before it is asked for."""

    def __init__(
        self, subject: bytes, reply: bytes, header: bytes | None, data: bytes, count: int, state: Any
    ) -> None:
        self.data = data
        self.count = count
        self.state = state
        self._subject = subject
        self._reply = reply
        self._header = header
