"""How `pynats subscribe` shows messages: payloads as they are, plain lines, JSON lines, or drawn for a terminal."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from json.encoder import encode_basestring, encode_basestring_ascii
from operator import itemgetter

from natscli.environment import BOLD, DIM, GREEN, Environment
from natscli.message import headers
from natscli.output.pump import Rendered, same_target

#: Subject, reply subject, header block, payload.
Message = tuple[bytes, bytes, "bytes | None", bytes]
#: Messages of one network read, the number of the first, when they came (seconds since 1970), and whether they are
#: the matched replies to the messages of these numbers; gives the log and the data to write.
RenderMessages = Callable[[list[Message], int, float, bool], Rendered]
#: The same for one message.
_Log = Callable[[str, int, Message, bool], bytes]
_Data = Callable[[str, Message], bytes]


@dataclass(frozen=True)
class Style:
    """What is shown of a message.

    `part` is "all", "headers" or "subject"; `clock` is "time", "timestamp" or "delta", the time since `start`
    (seconds since 1970). A `single` payload has no line break added; `end` is what ends a record of JSON.
    """

    raw: bool = False
    as_json: bool = False
    part: str = "all"
    clock: str = "time"
    start: float = 0.0
    single: bool = False
    end: str = "\n"


def renderer(environment: Environment, style: Style) -> RenderMessages:
    """The renderer that fits the streams and the flags."""
    out, err = environment.stdout, environment.stderr
    terminal = out.isatty()
    if style.as_json:
        quote = encode_basestring_ascii if terminal else encode_basestring
        return partial(_json, style, quote)
    # Payloads in a pipe are for programs: only --color always insists on colour in them.
    draw = terminal or (environment.color == "always" and not style.raw)
    if style.raw and not draw:
        end = b"" if style.single else b"\n"
        return lambda batch, first, came, matched: (b"", end.join([*map(itemgetter(3), batch), b""]))
    data = (_drawn_data if draw else _plain_data)(environment, style)
    if style.raw or environment.quiet or style.part == "subject":
        return partial(_log_and_data, _clock(style), None, data, None)
    log = (_drawn_log if err.isatty() or environment.colored(err) else _plain_log)(environment, style)
    # Headers end with an empty line already.
    gap = (b"" if style.part == "headers" else b"\n") if same_target(out, err) else None
    return partial(_log_and_data, _clock(style), log, data, gap)


def _log_and_data(
    clock: Callable[[float], str], log: _Log | None, data: _Data, gap: bytes | None,
    batch: list[Message], first: int, came: float, matched: bool,
) -> Rendered:  # fmt: skip
    """The log and the data; with a `gap`, which comes after each message, both in order for one file or terminal."""
    now = clock(came)
    shown = [data(now, message) for message in batch]
    if log is None:
        return b"", b"".join(shown)
    logged = [log(now, number, message, matched) for number, message in enumerate(batch, first)]
    if gap is None:
        return b"".join(logged), b"".join(shown)
    return b"", b"".join([part for pair in zip(logged, shown, strict=True) for part in (*pair, gap)])


def _clock(style: Style) -> Callable[[float], str]:
    """Gives the time that stands before a message; nothing before a bare subject, unless it was asked for."""
    if style.clock == "timestamp":
        return lambda came: f"{datetime.fromtimestamp(came).astimezone().isoformat(timespec='microseconds')} "
    if style.clock == "delta":
        return lambda came: f"+{max(came - style.start, 0.0):.6f}s "
    if style.part == "subject":
        return lambda came: ""
    return lambda came: time.strftime("%H:%M:%S ", time.localtime(came))


def _title(message: Message, matched: bool) -> tuple[str, str, str]:
    """What was received on which subject, and where replies to it go, as text."""
    subject, reply, _, _ = message
    ending = f" with reply [{_text(reply)}]" if reply else ""
    return ("Matched reply on " if matched else "Received on "), f"[{_text(subject)}]", ending


def _plain_log(environment: Environment, style: Style) -> _Log:  # noqa: ARG001
    with_headers = style.part == "all"

    def log(now: str, number: int, message: Message, matched: bool) -> bytes:
        line = f"{now}[#{number}] {''.join(_title(message, matched))}\n"
        lines = _header_lines(message[2]) if with_headers and message[2] else b""
        return line.encode("utf-8", "surrogateescape") + lines

    return log


def _drawn_log(environment: Environment, style: Style) -> _Log:
    from natscli.output.terminal import Painter
    from natscli.output.text import visible_line

    painter = Painter(colored=environment.colored(environment.stderr))
    # Painted once and filled in for each message: painting takes longer than receiving.
    line = painter.paint(
        ("{now}", DIM), ("[#{number}] ", BOLD), ("{what}", ""), ("{subject}", GREEN), ("{end}", "")
    )
    with_headers = style.part == "all"

    def log(now: str, number: int, message: Message, matched: bool) -> bytes:
        what, subject, end = _title(message, matched)
        text = line.format(
            now=now, number=number, what=what, subject=visible_line(subject), end=visible_line(end)
        )
        if with_headers and message[2]:
            text += painter.header_lines(message[2]) + "\n"
        return text.encode("utf-8", "backslashreplace")

    return log


def _plain_data(environment: Environment, style: Style) -> _Data:  # noqa: ARG001
    if style.part == "subject":
        return lambda now, message: b"%b%b\n" % (now.encode(), message[0])
    if style.part == "headers":
        return lambda now, message: _header_lines(message[2]) if message[2] else b""
    if style.single:
        return lambda now, message: message[3]
    return lambda now, message: b"%b\n" % message[3]


def _drawn_data(environment: Environment, style: Style) -> _Data:
    from natscli.output.terminal import Painter
    from natscli.output.text import visible_line

    painter = Painter(colored=environment.colored(environment.stdout))

    def data(now: str, message: Message) -> bytes:
        if style.part == "subject":
            text = f"{now}{visible_line(_text(message[0]))}\n"
        elif style.part == "headers":
            text = f"{painter.header_lines(message[2])}\n" if message[2] else ""
        else:
            text = painter.payload(message[3], pretty=not style.raw)
        return text.encode("utf-8", "backslashreplace")

    return data


def _header_lines(block: bytes) -> bytes:
    """`Name: value` lines and the empty line after them, byte for byte; the status of one that a server made first."""
    first, _, lines = block.partition(b"\r\n")
    status = first[len(headers.LINE) :].strip()
    return (b"Status: %b\n" % status if status else b"") + lines.replace(b"\r\n", b"\n")


def _json(
    style: Style, quote: Callable[[str], str], batch: list[Message], first: int, came: float, matched: bool
) -> Rendered:
    """One object a message, put together by hand, which is ten times as fast as `json.dumps`."""
    now = datetime.fromtimestamp(came, timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
    mark = ', "matched": true' if matched else ""
    lines = []
    for number, (subject, reply, header, payload) in enumerate(batch, first):
        answered_on = quote(_text(reply)) if reply else "null"
        shown = _json_headers(header, quote) if header else "{}"
        data = "" if style.part == "headers" else _json_data(payload, quote)
        lines.append(
            f'{{"number": {number}{mark}, "time": "{now}", "subject": {quote(_text(subject))}, '
            f'"reply": {answered_on}, "headers": {shown}, {data}"size": {len(payload)}}}{style.end}'
        )
    return b"", "".join(lines).encode()


def _json_data(payload: bytes, quote: Callable[[str], str]) -> str:
    try:
        return f'"data": {quote(payload.decode())}, "encoding": "utf-8", '
    except UnicodeDecodeError:
        return f'"data": "{b64encode(payload).decode()}", "encoding": "base64", '


def _json_headers(header: bytes, quote: Callable[[str], str]) -> str:
    pairs: dict[str, list[str]] = {}
    status = headers.status(header)
    if status:
        pairs["Status"] = [status]
    for name, value in headers.decode(header):
        pairs.setdefault(_valid(name), []).append(_valid(value))
    members = [f"{quote(name)}: [{', '.join(map(quote, values))}]" for name, values in pairs.items()]
    return f"{{{', '.join(members)}}}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _valid(text: str) -> str:
    """Bytes that are not UTF-8, which `headers.decode` keeps as surrogates, as U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
