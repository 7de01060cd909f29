"""Messages as the bytes of PUB and HPUB commands."""

from __future__ import annotations

from natscli.message.message import Message


def encode(messages: list[Message]) -> bytes:
    """PUB and HPUB commands for `messages`, in order."""
    if not messages:
        return b""
    if len(messages) == 1:
        return _encode_one(*messages[0])
    subjects, replies, blocks, payloads = zip(*messages, strict=True)
    if payloads.count(payloads[0]) == len(payloads) and not any(replies) and not any(blocks):
        # The same to many, as a mock answers: nothing but the subjects differs.
        end = b" %d\r\n%b\r\n" % (len(payloads[0]), payloads[0])
        return b"PUB " + (end + b"PUB ").join(subjects) + end
    return b"".join(
        [
            b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload)
            if not header and not reply
            else _encode_one(subject, reply, header, payload)
            for subject, reply, header, payload in messages
        ]
    )


def _encode_one(subject: bytes, reply: bytes, header: bytes | None, payload: bytes) -> bytes:
    reply = reply + b" " if reply else b""
    if not header:
        return b"PUB %b %b%d\r\n%b\r\n" % (subject, reply, len(payload), payload)
    size = len(header)
    return b"HPUB %b %b%d %d\r\n%b%b\r\n" % (subject, reply, size, size + len(payload), header, payload)
