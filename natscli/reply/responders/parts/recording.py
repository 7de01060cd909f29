"""The file of requests and their replies that `--record` writes and `--mock` reads: as JSON, one exchange a line."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from functools import lru_cache
from itertools import repeat
from json.encoder import encode_basestring as quote

from natscli.errors import InputError
from natscli.message import headers
from natscli.message.message import Message
from natscli.output.json_lines import timestamp
from natscli.reply.responders.parts.header_lines import START
from natscli.reply.responders.responder import Batch
from natscli.text import for_programs, visible_json

#: Bytes of a header block, up to which it may be the same for many: then it is made into text once.
_COMMON = 1024


def lines(batch: Batch, replies: list[Message], ended: int, clock: int) -> Iterator[bytes]:
    """A line for each request of `batch` and its reply; without replies, they were not answered.

    `ended` is when (nanoseconds of `perf_counter_ns`), `clock` what to add for nanoseconds since 1970.
    """
    came = timestamp((batch.arrived + clock) / 1e9)
    start = f'{{"time":"{came}","duration_ns":{ended - batch.arrived},"subject":'
    for (subject, _, header, payload), reply in zip(batch.requests, replies or repeat(None), strict=False):
        answer = "null" if reply is None else _content(reply[2], reply[3])
        line = (
            f'{start}{quote(for_programs(subject))},"request":{_content(header, payload)},"reply":{answer}}}'
        )
        # The file may be shown on a terminal, which nothing in it should drive.
        yield (line if line.isprintable() else visible_json(line)).encode() + b"\n"


def _content(header: bytes | None, payload: bytes) -> str:
    """Headers, if any, and payload: as text where that gives the same bytes again, else in base64."""
    try:
        data = f'"data":{quote(payload.decode())}'
    except UnicodeDecodeError:
        data = f'"data_base64":"{b64encode(payload).decode()}"'
    if not header:
        return f"{{{data}}}"
    return f"{{{(_same_headers if len(header) <= _COMMON else _headers)(header)}{data}}}"


def _headers(block: bytes) -> str:
    pairs = headers.decode(block)
    if all(_is_plain(*pair) for pair in pairs) and START + headers.encode_lines(pairs) + b"\r\n" == block:
        texts = ",".join(f"[{quote(name)},{quote(value)}]" for name, value in pairs)
        return f'"headers":[{texts}],'
    return f'"headers_base64":"{b64encode(block).decode()}",'


_same_headers = lru_cache(256)(_headers)


def _is_plain(name: str, value: str) -> bool:
    """Whether it is what `--mock` takes, and UTF-8."""
    try:
        headers.check(name, value)
        value.encode()
    except (InputError, UnicodeEncodeError):
        return False
    return True
