"""Exchanges as lines of JSON, written by all that record and read by `reading`."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from json.encoder import encode_basestring as quote

from natscli.duration import timestamp
from natscli.errors import InputError
from natscli.message import headers
from natscli.message.exchange import Exchange, Outcome
from natscli.message.header_lines import START
from natscli.text import for_programs, visible_json

#: Bytes of a header block, up to which it may be the same for many: then it is made into text once.
_COMMON = 1024


def record_line(exchange: Exchange) -> bytes:
    """The line of an exchange; times that are not known, as of one that was written by hand, are left out."""
    answers = exchange.answers
    time = f'"time":"{timestamp(exchange.came)}",' if exchange.came else ""
    rtt = f'"rtt_ns":{answers[0].rtt_ns},' if answers and answers[0].rtt_ns else ""
    via = f'"via":{text(exchange.via)},' if exchange.via else ""
    to = f'"reply_to":{text(exchange.reply)},' if exchange.reply else ""
    if len(answers) > 1:
        several = [f'{{"rtt_ns":{a.rtt_ns},{content(a.header, a.payload)[1:]}' for a in answers]
        reply = f'"replies":[{",".join(several)}]'
    else:
        reply = f'"reply":{content(answers[0].header, answers[0].payload) if answers else "null"}'
    none = ',"outcome":"no_responders"' if exchange.outcome is Outcome.NO_RESPONDERS else ""
    return finished(
        f'{{{time}{rtt}"subject":{text(exchange.subject)},{via}{to}'
        f'"request":{content(exchange.header, exchange.payload)},{reply}{none}}}'
    )


def finished(line: str) -> bytes:
    """A line of a file, which may be shown on a terminal that nothing in it should drive."""
    return (line if line.isprintable() else visible_json(line)).encode() + b"\n"


def text(subject: bytes) -> str:
    """A string; bytes that are not UTF-8 are U+FFFD."""
    return quote(for_programs(subject))


def content(header: bytes | None, payload: bytes) -> str:
    """Headers, if any, and payload as an object: as text where that gives the same bytes again, else in base64."""
    try:
        data = f'"data":{quote(payload.decode())}'
    except UnicodeDecodeError:
        data = f'"data_base64":"{b64encode(payload).decode()}"'
    if not header:
        return f"{{{data}}}"
    return f"{{{(_same_headers if len(header) <= _COMMON else _headers)(header)}{data}}}"


def _headers(block: bytes) -> str:
    if not headers.is_huge(block):
        pairs = headers.decode(block)
        if all(_is_plain(*pair) for pair in pairs) and START + headers.encode_lines(pairs) + b"\r\n" == block:
            texts = ",".join(f"[{quote(name)},{quote(value)}]" for name, value in pairs)
            return f'"headers":[{texts}],'
    return f'"headers_base64":"{b64encode(block).decode()}",'


_same_headers = lru_cache(256)(_headers)


def _is_plain(name: str, value: str) -> bool:
    """Whether it is what a reader takes, and UTF-8."""
    try:
        headers.check(name, value)
        value.encode()
    except (InputError, UnicodeEncodeError):
        return False
    return True
