"""Requests as they come from the network."""

from __future__ import annotations

from typing import Any

from natscli.handling import Request
from natscli.message.message import Message


class ReceivedRequest(Request):
    """A request whose parts are those of a message; nothing is looked at before it is asked for."""

    # One in Python would be called for each request, which takes as long as making it and filling it in.
    __init__ = object.__init__


def received(message: Message, count: int, state: Any) -> ReceivedRequest:
    """The request that a message is."""
    request: ReceivedRequest = ReceivedRequest()
    request._subject, request._reply, request._header, request.data = message
    request.count = count
    request.state = state
    return request
