"""Requests as they come from the network."""

from __future__ import annotations

from typing import Any

from natscli.handling import Request
from natscli.message.message import Message


class ReceivedRequest(Request):
    """A request whose parts are those of a message; nothing is looked at before it is asked for."""

    # One in Python would be called for each request, which takes as long as making it and filling it in.
    __init__ = object.__init__

    def filled(self, message: Message, count: int, state: Any) -> ReceivedRequest:
        """Take the parts of `message`; gives the request itself."""
        self._subject, self._reply, self._header, self.data = message
        self.count = count
        self.state = state
        return self
