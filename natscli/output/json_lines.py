"""Messages as JSON, one object a line; put together by hand, which is ten times as fast."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from json.encoder import encode_basestring, encode_basestring_ascii
from math import inf
from typing import Any

from natscli.duration import timestamp
from natscli.message import headers
from natscli.message.status import read_acknowledgement, read_status
from natscli.output import json_text
from natscli.text import for_programs, replaced

#: A payload that is larger (bytes) is not parsed.
_LARGEST_JSON = 1024 * 1024
_MAY_BEGIN_JSON = frozenset(b'{["-0123456789tfn \t\r\n')
_NOT_PRINTABLE_ASCII = re.compile(r"[^ -~]")


class Encoder:
    """Makes the members of a record; with `ascii_only`, for terminals, no control character is left in them.

    JSON with more than `most_parts` values is not parsed: it takes a millisecond for some thousands.
    """

    def __init__(self, *, ascii_only: bool, most_parts: float = inf) -> None:
        self._most_parts = most_parts
        self.text = encode_basestring_ascii if ascii_only else encode_basestring
        self._ascii_only = ascii_only

    def decoded(self, text: bytes) -> str:
        """A string; bytes that are not UTF-8 are U+FFFD."""
        return self.text(for_programs(text))

    def message(self, header: bytes | None, payload: bytes) -> str:
        """The members that all records share: headers (name to list of values), data, its encoding, its size.

        A message that a server made has the `status` and the `description` of its status line, too.
        `data` is text when the payload is UTF-8, else base64, and `encoding` says which. `json` is the value, if the
        payload is JSON that any parser reads.
        """
        pairs = self.headers(header) + self.status(header) if header else "{}"
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            data = b64encode(payload).decode()
            return f'"headers": {pairs}, "data": "{data}", "encoding": "base64", "size": {len(payload)}'
        value = self._json(text) if payload[:1] and payload[0] in _MAY_BEGIN_JSON else ""
        parsed = f', "json": {value}' if value else ""
        return f'"headers": {pairs}, "data": {self.text(text)}, "encoding": "utf-8", "size": {len(payload)}{parsed}'

    def headers(self, header: bytes) -> str:
        """The headers of a block, name to list of values; of a huge one none, and a member with the block itself."""
        if headers.is_huge(header):
            return f'{{}}, "headers_base64": "{b64encode(header).decode()}"'
        pairs = headers.as_lists(header)
        members = [
            f"{self.text(name)}: [{', '.join(map(self.text, values))}]" for name, values in pairs.items()
        ]
        return f"{{{', '.join(members)}}}"

    def status(self, header: bytes) -> str:
        """The members for the status line of a block, with a comma before them; nothing without one."""
        status = read_status(header)
        if status is None:
            return ""
        return f', "status": {status.code}, "description": {self.text(replaced(status.description))}'

    def acknowledged(self, payload: bytes, subject: str) -> str:
        """The member for a JetStream acknowledgement of a request on `subject`, with a comma before it, or nothing."""
        taken = read_acknowledgement(payload, subject)
        if taken is None or taken.error is not None:
            return ""
        return f', "acknowledged": {{"stream": {self.text(taken.stream)}, "seq": {taken.sequence}}}'

    def _json(self, text: str) -> str:
        parts = text.count(",") + text.count(":") if self._most_parts < inf else 0
        readable = len(text) <= _LARGEST_JSON and parts <= self._most_parts
        value = json_text.for_programs(text) if readable else ""
        if not self._ascii_only:
            return value
        return _NOT_PRINTABLE_ASCII.sub(lambda found: encode_basestring_ascii(found[0])[1:-1], value)


def record_line(members: dict[str, Any], at: float) -> bytes:
    """A record of anything else, made of ASCII."""
    return json.dumps({"time": timestamp(at), **members}).encode() + b"\n"
