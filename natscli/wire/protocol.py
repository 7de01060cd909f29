"""Messages as the bytes of PUB and HPUB commands."""

from __future__ import annotations

from natscli.message.message import Message


def encode(messages: list[Message]) -> tuple[bytes, int]:
    """PUB and HPUB commands for `messages`, in order, and the bytes of the longest subject."""
    if not messages:
        return b"", 0
    if len(messages) == 1:
        return _encode_one(*messages[0]), len(messages[0][0])
    subjects, replies, blocks, payloads = zip(*messages, strict=True)
    longest = max(map(len, subjects))
    if payloads.count(payloads[0]) == len(payloads) and not any(replies) and not any(blocks):
        # The same to many, as a mock answers: nothing but the subjects differs.
        end = b" %d\r\n%b\r\n" % (len(payloads[0]), payloads[0])
        return b"PUB " + (end + b"PUB ").join(subjects) + end, longest
    commands = [
        b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload)
        if not header and not reply
        else _encode_one(subject, reply, header, payload)
        for subject, reply, header, payload in messages
    ]
    return b"".join(commands), longest


def line_length(message: Message) -> int:
    """Bytes of a control line without its operation, as nats-server compares them with `max_control_line`."""
    subject, reply, header, payload = message
    line = _encode_one(subject, reply, header, b"").partition(b"\r\n")[0].partition(b" ")[2]
    size = len(payload) + len(header or b"")
    return len(line) + len(str(size)) - len(str(len(header or b"")))


def _encode_one(subject: bytes, reply: bytes, header: bytes | None, payload: bytes) -> bytes:
    reply = reply + b" " if reply else b""
    if not header:
        return b"PUB %b %b%d\r\n%b\r\n" % (subject, reply, len(payload), payload)
    size = len(header)
    return b"HPUB %b %b%d %d\r\n%b%b\r\n" % (subject, reply, size, size + len(payload), header, payload)
