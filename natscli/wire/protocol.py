"""Messages as the bytes of PUB and HPUB commands."""

from __future__ import annotations

from collections.abc import Callable

from natscli.message.message import Message

#: Gives what is sent instead of a message that the server would not take, if anything, and is told why: the end of a
#: sentence about it.
Instead = Callable[[Message, str], "Message | None"]


def encode(messages: list[Message]) -> tuple[bytes, int]:
    """PUB and HPUB commands for `messages`, in order, and the bytes of the longest subject."""
    if not messages:
        return b"", 0
    if len(messages) == 1:
        return _encode_one(*messages[0]), len(messages[0][0])
    subjects, replies, blocks, payloads = zip(*messages, strict=True)
    longest = max(map(len, subjects))
    if any(blocks):
        return b"".join([_encode_one(*message) for message in messages]), longest
    if _all_same(payloads) and not any(replies):
        # The same to many, as a mock answers: nothing but the subjects differs.
        end = b" %d\r\n%b\r\n" % (len(payloads[0]), payloads[0])
        return b"PUB " + (end + b"PUB ").join(subjects) + end, longest
    if _all_same(payloads) and _all_same(subjects) and all(replies):
        # The same request again and again: nothing but the inbox differs.
        start, end = b"PUB %b " % subjects[0], b" %d\r\n%b\r\n" % (len(payloads[0]), payloads[0])
        return start + (end + start).join(replies) + end, longest
    commands = [
        b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(payload), payload)
        if reply
        else b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload)
        for subject, reply, _, payload in messages
    ]
    return b"".join(commands), longest


def _all_same(values: tuple[bytes, ...]) -> bool:
    return values.count(values[0]) == len(values)


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


class Kept(bytes):
    """`messages` as the bytes that are sent, unless another server takes less: then `instead` says what is sent.

    Without it, the messages are our own, and those that do not fit are dropped.
    """

    messages: list[Message]
    instead: Instead | None

    @classmethod
    def of(cls, data: bytes, messages: list[Message], instead: Instead | None) -> Kept:
        """`data` is all of `messages`."""
        kept = cls(data)
        kept.messages, kept.instead = messages, instead
        return kept
