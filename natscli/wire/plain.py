"""Messages one at a time, through public names of nats-py: for a nats-py whose private names are not as expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from natscli.message import headers
from natscli.message.message import Message
from natscli.wire import nats_py


def received(message: Any) -> Message:
    """A message of nats-py as one of ours."""
    pairs = dict(message.headers or {})
    status = pairs.pop("Status", "")
    block = headers.encode(pairs.items())
    if status:
        block = b"%b %b\r\n%b" % (headers.LINE, status.encode(), block[len(headers.LINE) + 2 :] or b"\r\n")
    return message.subject.encode(), message.reply.encode(), block or None, message.data


async def publish(client: Any, messages: list[Message], on_failure: Callable[[Exception], object]) -> int:
    """Publish them; gives how many there was no room for."""
    dropped = 0
    for subject, reply, header, payload in messages:
        pairs = dict(headers.decode(header)) if header else None
        try:
            await client.publish(subject.decode(), payload, reply.decode(), pairs)
        except nats_py.errors.OutboundBufferLimitError:
            dropped += 1
        except Exception as error:
            on_failure(error)
    return dropped
