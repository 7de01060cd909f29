"""The message as it comes from the network and goes there, and what is large for one."""

from __future__ import annotations

from operator import itemgetter

#: Subject, reply subject, header block, payload. A tuple, because the hot path makes hundreds of thousands a second.
Message = tuple[bytes, bytes, "bytes | None", bytes]

header_of, payload_of = itemgetter(2), itemgetter(3)

#: Bytes from which on copying costs more than anything else that is done with a message.
LARGE = 32 * 1024

#: Bytes of memory for the objects around a message: the tuple, its parts, and what refers to it while it waits.
AROUND = 300


def memory(header: bytes | None, payload: bytes) -> int:
    """About the bytes of memory that a message takes while it waits somewhere; every bound on memory counts so."""
    return len(payload) + len(header or b"") + AROUND


def memory_of(messages: list[Message]) -> int:
    """The same of several messages together."""
    payloads = sum(map(len, map(payload_of, messages)))
    return payloads + sum(map(len, filter(None, map(header_of, messages)))) + AROUND * len(messages)
